import fc from "fast-check";

/** As much of JSON Schema as /openapi.json is written in. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
}

/** The schema with what it refers to in its place. */
export function inlined(schema: JsonSchema, components: { readonly [name: string]: JsonSchema }): JsonSchema {
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== "object" || value === null) return value;
    if ("$ref" in value) return visit(components[String(value.$ref).replace("#/components/schemas/", "")]);
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, visit(part)]));
  };
  return visit(schema) as JsonSchema;
}

/** Values that a schema without references allows. Throws at what it does not know. */
export function arbitraryOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(arbitraryOf));
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  return fc.oneof(...types.map((type) => ofType(type, schema)));
}

function ofType(type: string, schema: JsonSchema): fc.Arbitrary<unknown> {
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.oneof(
        fc.integer({ min: schema.minimum ?? -1000, max: Math.min(schema.maximum ?? 400, 400) }),
        fc.integer({ min: schema.minimum ?? Number.MIN_SAFE_INTEGER, ...(schema.maximum !== undefined && { max: schema.maximum }) }),
      );
    case "number":
      return fc.double({ min: schema.minimum ?? -1000, max: schema.maximum ?? 1000, noNaN: true });
    case "string": {
      const length = { minLength: schema.minLength ?? 0 };
      return fc.oneof(
        fc.string({ unit: "grapheme", ...length }),
        fc.string({ unit: "binary", ...length }),
        fc.string({ minLength: 190, maxLength: 210 }),
      );
    }
    case "array":
      return fc.array(arbitraryOf(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 10 });
    case "object":
      return fc.record(
        Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, property]) => [name, arbitraryOf(property)])),
        { requiredKeys: [...(schema.required ?? [])] },
      );
    default:
      throw new Error(`A schema of the type ${type} is not known here`);
  }
}

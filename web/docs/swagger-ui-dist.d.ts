/** swagger-ui-dist has no types of its own. This is what the page uses of it. */
declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  export default function SwaggerUI(options: {
    readonly url: string;
    readonly dom_id: string;
    /** Null: no badge, which would be asked of swagger.io. */
    readonly validatorUrl: string | null;
    readonly deepLinking: boolean;
    readonly queryConfigEnabled: boolean;
  }): void;
}

/** The published int8 model that the peers run: a folder in the layout of the Hugging Face hub, or `org/name` on the hub. */
export type PeerModel = { readonly directory: string } | { readonly hub: string };

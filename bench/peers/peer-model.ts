/** The published int8 model of the peers: a folder in the layout of the Hugging Face hub, or `org/name`. */
export type PeerModel = { readonly directory: string } | { readonly hub: string };

export declare const MAX_MESSAGE: number;
export declare const MAX_CHUNKS: number;

export declare class ChunkError extends Error {}

export interface SplitOptions {
  /** The action of each chunk, which chooses its route. */
  action?: string;
  /** What the message is known by; random by default. */
  id?: string;
  /** Bytes of a frame and of the whole. */
  maxFrame?: number;
  maxMessage?: number;
}

export declare function split(text: string, options?: SplitOptions): string[];

export declare class Joiner {
  constructor(limits?: { maxMessage?: number; maxMessages?: number; maxAge?: number });
  add(text: string): string | null;
}

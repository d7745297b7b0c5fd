/** Where to connect: an address, or one with the subprotocols to offer. */
export type Target = string | URL | { url: string | URL; protocols?: string | string[] };

export type State = "connecting" | "open" | "waiting" | "closed";

/** All times are in milliseconds. */
export interface ClientOptions {
  /** A WebSocket class; by default the global one. */
  WebSocket?: new (url: string, protocols?: string | string[]) => WebSocket;
  /** Attempt n waits a random time up to base * 2^(n-1), at most max. */
  backoff?: {
    base?: number;
    max?: number;
    /** After so many failures in a row the client closes; by default never. */
    attempts?: number;
    /** A connection that has lasted so long ends the row of failures. */
    stableAfter?: number;
  };
  /** How long an attempt may take, the address function included. */
  connectTimeout?: number;
  /** What is sent when nothing has passed for a while; false for nothing. */
  keepAlive?:
    | false
    | {
        every?: number;
        message?: string;
        /** If something must come back within this time; 0 for no. */
        answerWithin?: number;
      };
  /** When a new connection takes over from an old one; false for never. */
  renew?: false | { after?: number; overlap?: number };
  /** What may wait while there is no connection, or is not sent yet. */
  queue?: { messages?: number; bytes?: number };
  /** The largest message in bytes of UTF-8. */
  maxMessage?: number;
  /** Random numbers from 0 to 1, for tests. */
  random?: () => number;
}

export interface ClientEvents {
  /** Something was received. Text, or an ArrayBuffer. */
  message: MessageEvent<string | ArrayBuffer>;
  /** A connection is there; renewed when it has taken over without a gap. */
  open: CustomEvent<{ renewed: boolean }>;
  /** The connection has ended, and not by close(). */
  lost: CustomEvent<{ code: number; reason: string }>;
  /** The next attempt comes after delay; renewing while a connection is still open. */
  wait: CustomEvent<{ delay: number; attempt: number; error: unknown; renewing: boolean }>;
  state: CustomEvent<{ state: State; before: State }>;
  /** The end; dropped messages had been waiting. No event comes after it. */
  close: CustomEvent<{ code: number; reason: string; gaveUp: boolean; dropped: number; error?: unknown }>;
}

export declare const MAX_FRAME: number;

/** All that an option may hold when it is not switched off. */
type Complete<Name extends keyof ClientOptions> = Readonly<Required<Exclude<NonNullable<ClientOptions[Name]>, false>>>;

export declare const DEFAULTS: {
  readonly backoff: Complete<"backoff">;
  readonly connectTimeout: number;
  readonly keepAlive: Complete<"keepAlive">;
  readonly renew: Complete<"renew">;
  readonly queue: Complete<"queue">;
  readonly maxMessage: number;
};

export declare class SendError extends Error {
  readonly code: "closed" | "too-large" | "queue-full";
}

export declare class Client extends EventTarget {
  constructor(address: string | (() => Target | Promise<Target>), options?: ClientOptions);
  readonly state: State;
  readonly queued: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener<K extends keyof ClientEvents>(
    type: K,
    listener: (this: Client, event: ClientEvents[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof ClientEvents>(
    type: K,
    listener: (this: Client, event: ClientEvents[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

export declare function byteLength(text: string): number;

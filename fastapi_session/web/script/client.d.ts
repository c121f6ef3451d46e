/** Why a claim of the session did not hold, as in the answer 403. */
export interface ClaimValidationError {
  id: string;
  reason?: unknown;
}

export interface SessionOptions {
  /** The address of `client.js`, or of the folder that it is in: `https://api.example.com/auth/`. Default: from where it came. */
  base?: string | URL;
  /** Where tokens travel. Default: `cookie`, which no script can read. */
  mode?: "cookie" | "header";
  /** What calls are made by, to watch them or to add to them. Default: the `fetch` of the page. */
  fetch?: typeof fetch;
  /** Called in every tab when the session is over, whoever ended it. */
  onEnd?: () => void;
  /**
   * Called when the API refuses a call because of `errors`: have the user prove themselves, and the call is made once more
   * if you return `true`. Calls that are refused meanwhile wait for the same answer.
   */
  onStepUp?: (errors: ClaimValidationError[]) => boolean | Promise<boolean>;
}

export interface Session {
  /** Calls as the browser's own `fetch` does, and refreshes the session if it has to. Other origins are called untouched. */
  fetch: typeof fetch;
  /** Refreshes now, once for all tabs; `true` if there is a session. Rejects if the API cannot be reached. */
  refresh(): Promise<boolean>;
  /** Signs out, in all tabs. Rejects if the API cannot be reached: the session goes on then. */
  signOut(): Promise<Response>;
  /** Who is signed in, as far as this browser knows. */
  readonly userId: string | undefined;
  /** What the access token says of them. */
  readonly claims: Record<string, unknown> | undefined;
}

export function createSession(options?: SessionOptions): Session;

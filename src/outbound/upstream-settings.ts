/** The settings of one upstream server. */
export interface UpstreamSettings {
  /** For logs and lanes: host:port. */
  name: string;
  host: string;
  port: number;
  /** starttls is required and never falls back to clear text; off is for loopback, which the configuration checks. */
  tls: "starttls" | "implicit" | "off";
  username: string | null;
  password: string | null;
  /** Certificates to trust besides the well-known ones (PEM), or null. */
  ca: string | null;
  /** The EHLO name of this server. */
  hostname: string;
  /** For connecting up to the greeting, and for silence on the socket at any time. */
  timeoutMs: number;
  /** For the answer to the final dot. A server that is given up too early delivers the message, and gets it again. */
  doneTimeoutMs: number;
  /** The most connections at once. */
  connections: number;
}

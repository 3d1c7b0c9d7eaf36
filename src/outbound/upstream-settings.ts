/** How one upstream server is reached. */
export interface UpstreamSettings {
  /** For logs and lanes: host:port. */
  name: string;
  host: string;
  port: number;
  /** starttls is required and never falls back to clear text; off is for loopback, which the configuration checks. */
  tls: "starttls" | "implicit" | "off";
  username: string | null;
  password: string | null;
  /** Certificates to trust beside the well-known ones (PEM), or null. */
  ca: string | null;
  /** Our EHLO name. */
  hostname: string;
  /** For connecting up to the greeting, and for any silence on the socket. */
  timeoutMs: number;
  /** At most at once. */
  connections: number;
}

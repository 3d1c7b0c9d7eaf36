/** A shape of the wire whose members are all optional but some: a server of another version may omit the others. */
export type Lenient<T, Always extends keyof T> = Pick<T, Always> & Partial<Omit<T, Always>>;

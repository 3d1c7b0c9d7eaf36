/** A shape of the wire of which a server of another version may omit all members but some. */
export type Lenient<T, Always extends keyof T> = Pick<T, Always> & Partial<Omit<T, Always>>;

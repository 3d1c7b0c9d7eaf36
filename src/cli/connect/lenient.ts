/** A shape of the wire of which a server of another version may leave out all but some members. */
export type Lenient<T, Always extends keyof T> = Pick<T, Always> & Partial<Omit<T, Always>>;

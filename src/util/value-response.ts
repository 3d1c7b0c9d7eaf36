/**
 * A large answer to a request that this process makes itself: the value instead of its JSON, which would be written and
 * parsed again in one go. It has no body.
 */
export class ValueResponse extends Response {
  /** @param chars about the characters of its JSON */
  constructor(
    readonly value: unknown,
    readonly chars: number,
  ) {
    super(null, { headers: { "content-type": "application/json" } });
  }
}

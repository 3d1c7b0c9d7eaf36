import { addressedTo } from "../inbound/hidden-return-path.ts";
import { type Defect, READER_VERSION, type ReadMail } from "../mail.ts";
import type { ReturnPaths } from "../return-path.ts";
import type { StoredMail } from "../store/mail/messages.ts";
import { keptOf } from "../store/mail/received.ts";
import type { Store } from "../store/store.ts";
import { asFailure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { Owner } from "../util/owner.ts";

/**
 * A store that hands out received mail as this version reads it. Mail that another version parsed is parsed again when
 * it is opened, and stored so. If that is not possible just now, it is handed out as it is.
 */
export function readingAnew<S extends Store>(
  store: S,
  options: {
    /** Reads a message without the signatures of return paths. */
    read: (owner: Owner, raw: Uint8Array) => Promise<ReadMail>;
    returnPaths: Pick<ReturnPaths, "isHidden">;
    log: Log;
  },
): S {
  const { log, read, returnPaths } = options;
  async function current(found: StoredMail, open: () => Promise<StoredMail | null>): Promise<StoredMail | null> {
    const { message, raw, content } = found;
    if (content.reader === READER_VERSION) return found;
    try {
      const mail = await read(message, raw);
      const kept = keptOf(addressedTo(message.agentId, mail, returnPaths));
      // What an earlier version could read must not give way to the raw text, nor what was proven to words in a header,
      // which no signature covers.
      const isWorse = ({ code }: Defect) =>
        code === "reading_failed" || (message.verified && code === "header_unterminated");
      const before = { ...content, defects: content.defects.filter(isDefect), reader: READER_VERSION };
      const renewed = mail.defects.some(isWorse) ? { ...kept, snippet: message.snippet, content: before } : kept;
      await store.renewContent(message.rawSha256, renewed);
      return await open();
    } catch (error) {
      log.warn("message.not_read_anew", { message: message.id, why: asFailure(error).message });
      return { ...found, content: { ...content, defects: content.defects.filter(isDefect) } };
    }
  }
  const deliveryBy =
    (deliveryWork: Store["deliveryWork"]): Store["deliveryWork"] =>
    async (delivery) => {
      const work = await deliveryWork(delivery);
      if (work?.content.kind !== "message") return work;
      const { agentId, id } = work.content.mail.message;
      const mail = await current(work.content.mail, () => store.getMessage(agentId, id));
      return mail && { ...work, content: { kind: "message", mail } };
    };
  const opening: Pick<Store, "getMessage" | "deliveryWork" | "largeDeliveryWork"> = {
    async getMessage(agentId, id) {
      const found = await store.getMessage(agentId, id);
      return found && current(found, () => store.getMessage(agentId, id));
    },
    deliveryWork: deliveryBy(store.deliveryWork),
    largeDeliveryWork: deliveryBy(store.largeDeliveryWork),
  };
  return Object.assign(Object.create(store), opening);
}

/** The first reader's defects were strings. */
function isDefect(found: Defect | string): found is Defect {
  return typeof found !== "string";
}

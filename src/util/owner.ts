/** Whose work a task is. Accounts take turns, and so do the agents of one account. */
export interface Owner {
  userId: string;
  /** Null for what concerns no single agent. */
  agentId: string | null;
}

/** The owner of work for one agent. */
export function ownerOf({ id, userId }: { id: string; userId: string }): Owner {
  return { userId, agentId: id };
}

/** A queue of queues: each branch gives one item when its turn comes, then moves to the end of the queue. */
export class FairQueue<T> {
  size = 0;
  private readonly items: T[] = [];
  private readonly branches = new Map<string, FairQueue<T>>();

  add([name, ...rest]: readonly string[], item: T): void {
    this.size++;
    if (name === undefined) {
      this.items.push(item);
      return;
    }
    const branch = this.branches.get(name) ?? new FairQueue<T>();
    this.branches.set(name, branch);
    branch.add(rest, item);
  }

  /** Takes the next item that `may` come; the others keep their places. */
  next(may: (item: T) => boolean = () => true): T | undefined {
    for (const [name, branch] of this.branches) {
      const item = branch.next(may);
      if (item === undefined) continue;
      this.size--;
      this.branches.delete(name);
      if (branch.size > 0) this.branches.set(name, branch);
      return item;
    }
    const [first] = this.items;
    if (first === undefined || !may(first)) return undefined;
    this.size--;
    return this.items.shift();
  }
}

/**
 * Merge of several nodes' logs by time, as a stream: a heap of the lanes' heads, so memory is one head a lane.
 *
 * M1 A lane's own order is never changed. M2 Among the heads the earliest time goes first, equal times by lane name.
 * M3 A long line is not torn apart: while a lane's last entry was a piece that goes on, that lane goes first.
 */
export interface Head {
  readonly timeKey: string;
  /** The line goes on with the lane's next entry. */
  readonly goesOn: boolean;
}

export interface Lane<Entry extends Head> {
  readonly name: string;
  /** The next entry if it is at hand, without I/O. */
  peek(): Entry | undefined;
  advance(): void;
  /** Gets more; false when there is nothing more just now. */
  fill(): Promise<boolean>;
}

const BLOCK = 128;

/** Yields blocks of entries until no lane has anything at hand. */
export async function* mergeLanes<Entry extends Head>(
  lanes: readonly Lane<Entry>[],
): AsyncGenerator<readonly Entry[], void, undefined> {
  const heap = new LaneHeap<Entry>();
  for (const lane of lanes) {
    const head = await headOf(lane);
    if (head !== undefined) heap.push({ lane, head });
  }
  let block: Entry[] = [];
  for (let first = heap.pop(); first !== undefined; first = heap.pop()) {
    const { lane } = first;
    let head: Entry | undefined = first.head;
    let goesOn: boolean;
    do {
      block.push(head);
      goesOn = head.goesOn;
      lane.advance();
      if (block.length >= BLOCK) {
        yield block;
        block = [];
      }
      head = lane.peek() ?? (await headOf(lane));
    } while (head !== undefined && (goesOn || heap.isBefore({ lane, head })));
    if (head !== undefined) heap.push({ lane, head });
  }
  if (block.length > 0) yield block;
}

async function headOf<Entry extends Head>(lane: Lane<Entry>): Promise<Entry | undefined> {
  for (;;) {
    const head = lane.peek();
    if (head !== undefined) return head;
    if (!(await lane.fill())) return undefined;
  }
}

interface Waiting<Entry extends Head> {
  readonly lane: Lane<Entry>;
  readonly head: Entry;
}

const before = <Entry extends Head>(a: Waiting<Entry>, b: Waiting<Entry>): boolean =>
  a.head.timeKey === b.head.timeKey ? a.lane.name < b.lane.name : a.head.timeKey < b.head.timeKey;

/** Binary heap, the earliest head on top. */
class LaneHeap<Entry extends Head> {
  readonly #items: Waiting<Entry>[] = [];

  /** True when `other` goes before everything here. */
  isBefore(other: Waiting<Entry>): boolean {
    const top = this.#items[0];
    return top === undefined || before(other, top);
  }

  push(item: Waiting<Entry>): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = items[parentAt];
      if (parent === undefined || !before(item, parent)) break;
      items[at] = parent;
      at = parentAt;
    }
    items[at] = item;
  }

  pop(): Waiting<Entry> | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = items[childAt];
      const right = items[childAt + 1];
      if (child !== undefined && right !== undefined && before(right, child)) {
        child = right;
        childAt += 1;
      }
      if (child === undefined || !before(child, last)) break;
      items[at] = child;
      at = childAt;
    }
    items[at] = last;
    return top;
  }
}

/** What was sent, and how much of it the product's code has read: behind a frame that fails, nothing is. */
export class Tally {
  conversations = 0;
  /** Frames whose first byte the receiver accepted. */
  framesRead = 0;
  mutatedSent = 0;
  mutatedRead = 0;
  /** Frames of conversations in which everything was right. */
  validFrames = 0;
  /** Conversations that `ws` read too. */
  oracle = 0;
  /** How many ended in which way. */
  readonly ends = new Map<string, number>();

  countPiece(isMutated: boolean, isRead: boolean): void {
    if (!isMutated) return;
    this.mutatedSent++;
    if (isRead) this.mutatedRead++;
  }

  countEnd(framesRead: number, end: string): void {
    this.conversations++;
    this.framesRead += framesRead;
    this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
  }
}

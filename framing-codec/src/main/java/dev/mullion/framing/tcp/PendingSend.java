package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The future of a frame that was sent without waiting. Its state is guarded by its queue's lock.
 */
final class PendingSend extends CompletableFuture<Void> {
  private final Predicate<PendingSend> withdraw;
  final int length;
  final @Nullable Place place;

  /** Whether the event loop itself has sent it, so that its replies must come behind. */
  final boolean ofLoop;

  /** While it waits for room: the frame as it will be on the wire. */
  @Nullable
  ByteBuf encoded;

  /** Why it could not be taken when there was room. */
  @Nullable
  Throwable failure;

  /**
   * @param withdraw takes it back if it waits for room, and returns whether it did
   */
  PendingSend(Predicate<PendingSend> withdraw, int length, @Nullable Place place, boolean ofLoop) {
    this.withdraw = withdraw;
    this.length = length;
    this.place = place;
    this.ofLoop = ofLoop;
  }

  /** Succeeds while the frame waits for room, and then it is not sent. Later it does nothing. */
  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    return withdraw.test(this) && super.cancel(mayInterruptIfRunning);
  }

  /** Gives the encoded frame away. */
  ByteBuf handOver() {
    ByteBuf held = requireNonNull(encoded, "encoded");
    encoded = null;
    return held;
  }

  /** Tells its sender why it could not be taken. */
  void fail() {
    completeExceptionally(requireNonNull(failure, "failure"));
  }

  /** Tells its sender, while it waits for room, that it is not taken any more. */
  void refuse(@Nullable Object peer, IOException why) {
    release();
    completeExceptionally(new FrameNotSentException(
        "connection was closed while the frame waited for room (peer " + peer + ")", why));
  }

  /** Tells its sender that the connection was closed before the event loop had it. */
  void closed(@Nullable Object peer, IOException why) {
    completeExceptionally(new FrameNotSentException(
        "connection was closed before the frame was sent (peer " + peer + ")", why));
  }

  /** Tells its sender that the connection was lost while the kernel took it. */
  void lost(@Nullable Object peer, Throwable why) {
    completeExceptionally(
        new IOException("connection was lost while the frame was sent (peer " + peer + ")", why));
  }

  /** Gives back what it holds, of one that is not sent. */
  void release() {
    ByteBuf held = encoded;
    if (held != null) {
      encoded = null;
      held.release();
    }
  }
}

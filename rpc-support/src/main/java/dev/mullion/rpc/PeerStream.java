package dev.mullion.rpc;

import io.grpc.Status;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The HTTP/2 stream of a call, which ends with its connection at the latest. It counts the bytes of
 * replies that are pending for the peer.
 */
final class PeerStream {
  /** The size of gRPC's header of each message. */
  private static final int MESSAGE_HEADER = 5;

  private static final Status CLOSED =
      Status.CANCELLED.withDescription("the stream was closed before the call ended");

  private final PeerConnection connection;
  private final PendingReplies replies;
  private final Http2Stream stream;
  private final AtomicLong pending = new AtomicLong();
  private volatile boolean drained;
  private volatile StreamTracers.@Nullable TracedStream tracked;

  /**
   * Whether the end was written; used only by the event loop. While the socket is full, the end
   * waits in front of it, and the stream stays open.
   */
  private boolean endWritten;

  /** The status with which the call was cut; used only by the event loop. */
  private @Nullable Status cutWith;

  /** The announced size of the current message; used only by the thread that sends it. */
  private long announced;

  PeerStream(PeerConnection connection, PendingReplies replies, Http2Stream stream) {
    this.connection = connection;
    this.replies = replies;
    this.stream = stream;
  }

  PeerConnection connection() {
    return connection;
  }

  Http2Stream stream() {
    return stream;
  }

  void belongsTo(StreamTracers.TracedStream call) {
    tracked = call;
  }

  @Nullable
  OpenCall call() {
    StreamTracers.TracedStream of = tracked;
    return of == null ? null : of.call();
  }

  /** Returns whether the server has ended the call, so that a reset by the peer does not count. */
  boolean isEndedHere() {
    StreamTracers.TracedStream of = tracked;
    OpenCall call = of == null ? null : of.call();
    return (of != null && of.isOver()) || (call != null && call.isEndedHere());
  }

  /** Returns whether the call has ended. */
  boolean isOver() {
    StreamTracers.TracedStream of = tracked;
    return of != null && of.isOver();
  }

  /** Returns how many bytes may be pending before the peer counts as behind. */
  int room() {
    return replies.room();
  }

  long pending() {
    return pending.get();
  }

  /** Counts an outbound message, and returns whether it may be sent. */
  boolean announce(int messageSize) {
    long bytes = (long) messageSize + MESSAGE_HEADER;
    if (!replies.admit(this, bytes)) {
      return false;
    }
    announced = bytes;
    return true;
  }

  /** Ends the call because of a message that may not be sent. */
  void refuse() {
    OpenCall call = call();
    if (call != null) {
      replies.end(call);
    }
  }

  /** Corrects the announced size, since the message may be compressed now. */
  void framed(long wireSize) {
    long bytes = wireSize + MESSAGE_HEADER - announced;
    announced = 0;
    if (bytes != 0) {
      add(bytes);
    }
  }

  void add(long bytes) {
    pending.addAndGet(bytes);
    connection.pending().addAndGet(bytes);
    replies.add(bytes);
    if (drained) {
      drain();
    }
  }

  /** Called when the connection has sent bytes. */
  void taken(int bytes) {
    long before = pending.get();
    long taken = Math.min(before, bytes);
    while (taken > 0 && !pending.compareAndSet(before, before - taken)) {
      before = pending.get();
      taken = Math.min(before, bytes);
    }
    if (taken > 0) {
      connection.pending().addAndGet(-taken);
      replies.add(-taken);
    }
  }

  /** Ends the counting; from now on nothing is pending. */
  void drain() {
    drained = true;
    long left = pending.getAndSet(0);
    connection.pending().addAndGet(-left);
    replies.add(-left);
  }

  /**
   * Ends the call on the wire, after everything passed to gRPC before. If replies are still
   * pending, they are dropped and the trailers are sent.
   */
  void cut(Status status) {
    connection.execute(() -> {
      StreamTracers.TracedStream of = tracked;
      if (of != null && !of.isOver()) {
        of.end(status);
        cutWith = status;
        endOnTheWire();
      }
    });
  }

  /**
   * Usually the end has been written, or waits for the peer. But a thread of gRPC's may just have
   * taken over to empty gRPC's queue, and may not have asked the event loop to do so yet. What is
   * in that queue comes through {@link #queued}, or as the end.
   */
  private void endOnTheWire() {
    Status status = cutWith;
    if (status != null && !endWritten && connection.has(stream) && connection.hasUnread(stream)) {
      connection.cut(this, status);
    }
  }

  /** Called when a frame was queued for the peer; it is written before the next task, or waits. */
  void queued() {
    if (cutWith != null) {
      connection.execute(this::endOnTheWire);
    }
  }

  /** Called when this side's end of the stream has been written. */
  void endWritten() {
    endWritten = true;
  }

  /** Called when the stream is closed. gRPC may be about to report the reason. */
  void closed() {
    drain();
    StreamTracers.TracedStream of = tracked;
    if (of == null || !of.isOver()) {
      connection.execute(() -> {
        if (of == null || !of.abandoned(CLOSED)) {
          connection.counters().callsMalformed.increment();
        }
      });
    }
  }
}

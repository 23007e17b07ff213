package dev.mullion.framing.tcp;

import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * The replies of a batch handler, collected until the end of the read and flushed together. Called
 * by the event loop's thread.
 *
 * <pre>{@code
 *  reply ---> one buffer for the replies of a read ---+---> socket
 *  reply(EncodedFrames), after the buffer's content --+
 *  reply, while frames of send() are queued --------------> Outbound
 * }</pre>
 */
final class BatchReplies {
  private static final int SIZE = 16 * 1024;
  private static final LoopBuffer BUFFER = new LoopBuffer();
  private static final LoopBuffer SECURE_BUFFER = new LoopBuffer();

  private final Link link;
  private @Nullable FrameEncoder encoder;
  private @Nullable ByteBuf gathered;
  private OutputState state = OutputState.OPEN;

  /** Whether a read is in progress; the replies are flushed at its end. */
  private boolean inRead;

  /** Whether a task will flush the replies made outside of a read. */
  private boolean flushScheduled;

  /** What the buffer has that the counters do not. */
  private int framesSent;

  private int bytesSent;

  BatchReplies(Link link) {
    this.link = link;
  }

  void readBegins() {
    inRead = true;
  }

  void readEnds() {
    inRead = false;
    flush();
  }

  /** Uses another format from the next reply on. */
  void format(FrameFormat format) {
    report();
    encoder = FrameEncoder.of(format, link.totals().frames(), link.peer());
  }

  /** Encodes a reply after the others of this read. */
  void add(ByteBuf buffer, int index, int length) throws FramingException {
    FrameEncoder present = encoder;
    if (present == null) {
      present = FrameEncoder.of(link.settings.format(), link.totals().frames(), link.peer());
      encoder = present;
    }
    if (isDropped()) {
      link.totals().bytesNotSent.add(length);
      return;
    }
    if (link.isAheadOfReplies()) {
      link.outbound().reply(buffer.slice(index, length));
      return;
    }
    ByteBuf out = gatheredWithRoom(length + present.maxOverhead());
    int start = out.writerIndex();
    present.encode(buffer, index, length, out);
    framesSent++;
    bytesSent += out.writerIndex() - start;
  }

  /** Whether a reply can no longer be sent. Otherwise a flush is ensured. */
  private boolean isDropped() {
    if (state != OutputState.OPEN) {
      return true;
    }
    if (!inRead && !flushScheduled) {
      flushScheduled = true;
      link.context().executor().execute(this::flushLater);
    }
    return false;
  }

  private void flushLater() {
    flushScheduled = false;
    if (state != OutputState.ENDED) {
      flush();
      link.noteHeld();
    }
  }

  private ByteBuf gatheredWithRoom(int length) {
    // Encrypting may run a user's code, which may reply.
    for (ByteBuf present = gathered; present != null; present = gathered) {
      if (present.writableBytes() >= length) {
        return present;
      }
      emit();
      if (link.secure) {
        // Alone, a buffer is encrypted without a copy, and can be used again.
        link.encrypt();
      }
    }
    ByteBufAllocator allocator = link.context().alloc();
    int size = link.secure ? TlsContext.WRAPPED : SIZE;
    LoopBuffer buffer = link.secure ? SECURE_BUFFER : BUFFER;
    ByteBuf made = length > size ? allocator.ioBuffer(length) : buffer.retained(allocator, size);
    gathered = made;
    return made;
  }

  /** Writes encoded frames after the earlier replies. */
  void add(EncodedFrames frames) {
    if (isDropped()) {
      link.totals().bytesNotSent.add(frames.content().readableBytes());
      frames.release();
      return;
    }
    boolean isNext = false;
    try {
      if (link.isAheadOfReplies()) {
        link.outbound().goFirst();
      }
      emit();
      isNext = true;
    } finally {
      if (!isNext) {
        frames.release();
      }
    }
    link.totals().frames().encoded(frames);
    link.counters.sent(frames.size(), frames.content().readableBytes());
    link.write(frames.content());
  }

  /** Passes on the collected replies without a flush. */
  void emit() {
    ByteBuf present = gathered;
    if (present != null) {
      gathered = null;
      link.write(present);
    }
    report();
    if (framesSent > 0) {
      link.counters.sent(framesSent, bytesSent);
      framesSent = 0;
      bytesSent = 0;
    }
  }

  private void report() {
    if (encoder != null) {
      encoder.report();
    }
  }

  void flush() {
    emit();
    link.flush();
  }

  /** Sends the collected replies; later replies come after the end and are dropped. */
  void outputEnds() {
    flush();
    // Replies that found no room at the peer and were queued after the end are lost.
    link.totals().bytesNotSent.add(link.outbound().unsent());
    state = OutputState.ENDING;
  }

  /** Counts the collected replies as lost: the connection is closed. */
  void closed() {
    state = OutputState.ENDED;
    inRead = false;
    ByteBuf unsent = gathered;
    if (unsent != null) {
      gathered = null;
      link.totals().bytesNotSent.add(unsent.readableBytes());
      unsent.release();
    }
    report();
  }
}

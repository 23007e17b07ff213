package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/**
 * Decodes all frames of each buffer that is pushed into it, without a copy unless they arrive in
 * several buffers. It is for code that has its own transport. In a Netty pipeline, use {@link
 * LengthDelimitedCodec}; to take frames one by one, use {@link FrameDecoder}.
 *
 * <pre>{@code
 *                   +--------------+ ---> frames(batch): the complete frames of the buffer
 *  add(buffer) ---> | BatchDecoder | ---> part(part): what has arrived of a long frame
 *                   +--------------+ ---> failed(error)
 * }</pre>
 *
 * <p>A {@link CorruptFrameException} is final, and so is a {@link FrameTooLargeException} with
 * {@link TooLargePolicy#CLOSE}: bytes added later are discarded. So is an exception that the
 * receiver throws; it comes out of {@link #add} or {@link #format}. The bytes of an incomplete
 * frame are kept until {@link #end} or {@link #stop}, one of which must be called. Not safe for use
 * by several threads at a time.
 */
public final class BatchDecoder {
  private final BatchReceiver receiver;
  private final FrameCounters counters;
  private final TooLargePolicy tooLargePolicy;
  private final boolean parts;

  private FrameScanner scanner;
  private @Nullable PartialFrame partial;
  private int toPass;
  private long toSkip;
  private boolean failed;
  private boolean ended;
  private boolean stopped;
  private boolean decoding;
  private @Nullable Queue<ByteBuf> waiting;

  /**
   * Creates a decoder.
   *
   * @param parts whether long frames are delivered in parts, as {@link
   *     LengthDelimitedCodec.Builder#parts} defines it
   * @param counters the counters of its frames, which may be shared
   */
  public BatchDecoder(
      FrameFormat format,
      TooLargePolicy tooLargePolicy,
      boolean parts,
      FrameCounters counters,
      BatchReceiver receiver) {
    this.scanner = new FrameScanner(requireNonNull(format, "format"));
    this.tooLargePolicy = requireNonNull(tooLargePolicy, "tooLargePolicy");
    this.parts = parts;
    this.counters = requireNonNull(counters, "counters");
    this.receiver = requireNonNull(receiver, "receiver");
  }

  /**
   * Changes the format of the next frame and all later ones. Collected bytes are decoded with the
   * new format. In {@link BatchReceiver#frames} the next frame is the one after the batch, which
   * {@link FrameBatch#endAfter} may shorten.
   *
   * @throws IllegalStateException inside a frame that is delivered in parts, or skipped
   */
  public void format(FrameFormat format) {
    requireNonNull(format, "format");
    if (isInsideFrame() && partial == null) {
      throw new IllegalStateException(
          "format cannot change inside a frame delivered in parts or skipped");
    }
    scanner = new FrameScanner(format, scanner.frames());
    PartialFrame part = partial;
    if (part != null) {
      partial = null;
      add(part.take());
    }
  }

  /**
   * Decodes and releases bytes. The decoder takes ownership of the buffer, even if this fails.
   * Bytes that are added while others are decoded follow them. After {@link #stop} they go to
   * {@link BatchReceiver#rest}; after {@link #end} they are discarded.
   */
  public void add(ByteBuf bytes) {
    if (decoding) {
      if (waiting == null) {
        waiting = new ArrayDeque<>();
      }
      waiting.add(bytes);
      return;
    }
    decoding = true;
    try {
      ByteBuf next = bytes;
      while (next != null) {
        decodeAndRelease(next);
        next = waiting == null ? null : waiting.poll();
      }
    } catch (RuntimeException | Error e) {
      // The position in the stream is lost, so no later byte can be trusted.
      failed = true;
      releasePartial();
      if (waiting != null) {
        waiting.forEach(ByteBuf::release);
        waiting.clear();
      }
      throw e;
    } finally {
      decoding = false;
    }
  }

  /** Returns whether a frame has been received in part, or is being skipped. */
  public boolean isInsideFrame() {
    return !ended && !failed && (partial != null || toPass > 0 || toSkip > 0);
  }

  /** Returns whether an error was final. */
  public boolean isFailed() {
    return failed;
  }

  /** Returns the number of collected bytes of an incomplete frame. */
  public int bufferedBytes() {
    return partial == null ? 0 : partial.size();
  }

  /** Returns the memory of these bytes, with the unused parts of their buffers. */
  public long bufferedMemory() {
    return partial == null ? 0 : partial.held();
  }

  private void releasePartial() {
    if (partial != null) {
      partial.release();
      partial = null;
    }
  }

  /** Marks the end of the stream. A frame that it truncates is reported, once. */
  public void end() {
    if (ended || failed) {
      return;
    }
    ended = true;
    FramingException cut = cut();
    if (cut != null) {
      counters.framesTruncated.increment();
      counters.bytesDiscarded.add(bufferedBytes());
      releasePartial();
      receiver.failed(cut);
    }
  }

  /** Returns the error of a stream that ends here, or null if it ends between two frames. */
  private @Nullable FramingException cut() {
    SocketAddress peer = receiver.peer();
    if (partial != null) {
      return partial.wireLength() == 0
          ? scanner.cutInHeader(partial.size(), peer)
          : scanner.cutBehindHeader(partial.size() - scanner.headerLength(), peer);
    }
    if (toPass > 0) {
      return scanner.cutBehindHeader(scanner.payloadLength() - toPass, peer);
    }
    return toSkip > 0 ? scanner.cutInSkipped(toSkip, peer) : null;
  }

  /** Decodes no more: the receiver gets all bytes that are in no delivered frame, as they come. */
  public void stop() {
    stopped = true;
    toPass = 0;
    toSkip = 0;
    PartialFrame part = partial;
    if (part != null) {
      partial = null;
      receiver.rest(part.take());
    }
  }

  /** Returns whether it was stopped. */
  public boolean isStopped() {
    return stopped;
  }

  private void decodeAndRelease(ByteBuf bytes) {
    ByteBuf in = bytes;
    try {
      in = Bytes.inOnePiece(bytes, bytes.alloc());
      while (in.isReadable() && !stopped) {
        decode(in);
      }
      if (in.isReadable()) {
        receiver.rest(in.readRetainedSlice(in.readableBytes()));
      }
    } finally {
      in.release();
    }
  }

  private void decode(ByteBuf in) {
    if (failed || ended) {
      discard(in, in.readableBytes());
    } else if (toSkip > 0) {
      skip(in);
    } else if (toPass > 0) {
      passPart(in, false);
    } else if (partial != null) {
      resumePartial(in, partial);
    } else if (!decodeRun(in)) {
      decodeRest(in);
    }
  }

  /** Delivers the complete frames of the buffer; returns whether there were any. */
  private boolean decodeRun(ByteBuf in) {
    int readerIndex = in.readerIndex();
    ByteBuffer nio = Bytes.view(in);
    int from = nio.position();
    FrameBatch batch = FrameBatch.acquire();
    try {
      int to = scanner.scan(nio, from, nio.limit(), batch.run());
      if (to == from) {
        return false;
      }
      int shift = from - readerIndex;
      batch.setBounds(in, readerIndex, to - shift, shift, scanner.geometry().trailer.length);
      in.readerIndex(to - shift);
      deliver(in, batch);
      return true;
    } finally {
      batch.recycle();
    }
  }

  /** A receiver that shortens the batch gives frames back. */
  private void deliver(ByteBuf in, FrameBatch batch) {
    int size = batch.size();
    int wireLength = batch.wireLength();
    counters.framesDecoded.add(size);
    counters.bytesDecoded.add(wireLength);
    receiver.frames(batch);
    int givenBack = size - batch.size();
    if (givenBack > 0) {
      int bytes = wireLength - batch.wireLength();
      in.readerIndex(in.readerIndex() - bytes);
      scanner.giveBack(givenBack);
      counters.framesDecoded.add(-givenBack);
      counters.bytesDecoded.add(-bytes);
    }
  }

  /** Handles the bytes after the last complete frame: the start of another one, or an error. */
  private void decodeRest(ByteBuf in) {
    ByteBuffer nio = Bytes.view(in);
    switch (scanner.inspect(nio, nio.position(), nio.limit())) {
      case TOO_LARGE -> tooLarge(0);
      case CORRUPT -> corrupt();
      case FRAME -> {
        if (in.readableBytes() >= scanner.wireLength()) {
          // The scan rejected a complete frame, so its trailer is wrong.
          corrupt();
        } else if (parts && !hasTrailer() && scanner.wireLength() > PartialFrame.SMALL) {
          toPass = scanner.wireLength();
          passPart(in, true);
        } else {
          PartialFrame part = begin(in);
          part.wireLength(scanner.wireLength());
          part.add(in);
        }
      }
      case PART_OF_HEADER ->
        begin(in).addToHead(in, in.readableBytes(), scanner.geometry().maxHeaderLength);
    }
  }

  private boolean hasTrailer() {
    return scanner.geometry().trailer.length > 0;
  }

  private PartialFrame begin(ByteBuf in) {
    PartialFrame begun = new PartialFrame(in.alloc());
    partial = begun;
    return begun;
  }

  private void skip(ByteBuf in) {
    int skipped = (int) Math.min(toSkip, in.readableBytes());
    toSkip -= skipped;
    discard(in, skipped);
    if (toSkip == 0) {
      receiver.skipped();
    }
  }

  private void passPart(ByteBuf in, boolean first) {
    int start = in.readerIndex();
    int length = Math.min(toPass, in.readableBytes());
    int stripped = first ? scanner.deliveredOffset() : 0;
    in.skipBytes(length);
    toPass -= length;
    counters.bytesDecoded.add(length);
    if (toPass == 0) {
      scanner.passedOne();
      counters.framesDecoded.increment();
    }
    receiver.part(new FramePart(in, start, length, stripped, first, toPass == 0));
  }

  private void resumePartial(ByteBuf in, PartialFrame part) {
    if (part.wireLength() == 0) {
      resumeHeader(in, part);
      return;
    }
    part.add(in);
    if (part.isComplete()) {
      partial = null;
      complete(part);
    }
  }

  private void resumeHeader(ByteBuf in, PartialFrame part) {
    int missing =
        scanner.geometry().headerLength == 0 ? 1 : scanner.geometry().headerLength - part.size();
    part.addToHead(in, Math.min(missing, in.readableBytes()), scanner.geometry().maxHeaderLength);
    ByteBuf head = part.head();
    ByteBuffer nio = Bytes.view(head);
    switch (scanner.inspect(nio, nio.position(), nio.limit())) {
      case TOO_LARGE -> {
        partial = null;
        part.release();
        tooLarge(part.size());
      }
      case CORRUPT -> corrupt();
      case FRAME -> {
        part.wireLength(scanner.wireLength());
        if (part.isComplete()) {
          partial = null;
          complete(part);
        }
      }
      case PART_OF_HEADER -> {}
    }
  }

  private void complete(PartialFrame part) {
    ByteBuf whole = part.take();
    FrameBatch batch = FrameBatch.acquire();
    try {
      if (hasTrailer() && !trailerIsGood(whole)) {
        counters.bytesDiscarded.add(part.size());
        corrupt();
        return;
      }
      scanner.passedOne();
      int start = whole.readerIndex();
      batch.run().add(start + scanner.deliveredOffset(), scanner.deliveredLength());
      batch.setBounds(whole, start, start + part.size(), 0, scanner.geometry().trailer.length);
      whole.readerIndex(start + part.size());
      deliver(whole, batch);
    } finally {
      batch.recycle();
      whole.release();
    }
  }

  private boolean trailerIsGood(ByteBuf whole) {
    ByteBuffer trailer = ByteBuffer.allocate(scanner.geometry().trailer.length);
    whole.getBytes(whole.writerIndex() - trailer.capacity(), trailer);
    return scanner.trailerIsGood(trailer, 0);
  }

  private void tooLarge(int consumed) {
    FrameTooLargeException error = scanner.tooLarge(receiver.peer());
    counters.framesTooLarge.increment();
    counters.bytesDiscarded.add(consumed);
    if (tooLargePolicy == TooLargePolicy.CLOSE) {
      close(error);
      return;
    }
    toSkip = scanner.tooLargeWireLength() - consumed;
    scanner.passedOne();
    if (tooLargePolicy == TooLargePolicy.REPORT) {
      receiver.failed(error);
    }
  }

  private void corrupt() {
    counters.framesCorrupt.increment();
    close(scanner.corrupt(receiver.peer()));
  }

  private void close(FramingException error) {
    failed = true;
    counters.bytesDiscarded.add(bufferedBytes());
    releasePartial();
    receiver.failed(error);
  }

  private void discard(ByteBuf in, int length) {
    in.skipBytes(length);
    counters.bytesDiscarded.add(length);
  }
}

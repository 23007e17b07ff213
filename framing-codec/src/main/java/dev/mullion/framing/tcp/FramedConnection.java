package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.net.SocketAddress;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * A connection that sends and receives whole frames: what a {@link FramedServer} gives to its
 * handler and a {@link FramedClient} connects.
 *
 * <pre>{@code
 *            +-------------------------+
 *  send  --> | outbound queue, bounded | --> socket --> peer
 *            +-------------------------+
 *  receive <-| inbound queue, bounded  | <-- socket <-- peer
 *            +-------------------------+
 * }</pre>
 *
 * <pre>{@code
 * for (byte[] frame : connection) {
 *   connection.send(frame);
 * }
 * }</pre>
 *
 * <p><b>Sending.</b> Any thread may send; frames of one thread keep their order. When this returns
 * the frame has been copied and the array or {@code ByteBuffer} may be used again; a {@code
 * ByteBuf} is taken over and released in every case. The bytes that are not in the kernel yet are
 * bounded: beyond {@code outboundHighWaterMark} {@link #send} waits until they are fewer than
 * {@code outboundLowWaterMark}, {@link #sendAsync} completes later and {@link #trySend} says no. A
 * {@link FrameNotSentException} says that no byte of the frame was sent.
 *
 * <p><b>Receiving.</b> There is one way for each connection, chosen by the first call: {@link
 * #receive} or the iterator, {@link #publisher}, or the requests of a client; a connection with a
 * {@link BatchHandler} has that. The peer is not read from while {@code inboundHighWaterMark} bytes
 * wait.
 *
 * <p><b>The end.</b> {@link #receive} returns {@code null} when the peer has ended its side between
 * two frames, and throws when it was cut. What was sent can still reach a peer that reads. {@link
 * #close} sends what was taken and closes.
 */
public final class FramedConnection implements Iterable<byte[]>, AutoCloseable {
  private final Link link;
  private final Sending sending;
  private final Receiving receiving;
  private final @Nullable SocketAddress localAddress;
  private final SocketAddress remoteAddress;
  private volatile @Nullable Object attachment;

  /** Made on the event loop, when the connection is there. */
  FramedConnection(Link link) {
    this.link = link;
    localAddress = Sockets.localAddress(link.context().channel());
    remoteAddress = requireNonNull(link.peer(), "peer");
    sending = new Sending(link.outbound(), link);
    receiving = new Receiving(link);
  }

  Link link() {
    return link;
  }

  /** Returns the address of this side, or {@code null} if the socket has none. */
  public @Nullable SocketAddress localAddress() {
    return localAddress;
  }

  /** Returns the address of the peer. */
  public SocketAddress remoteAddress() {
    return remoteAddress;
  }

  /** Returns the TLS session, or {@code null} without TLS. */
  public @Nullable SSLSession tlsSession() {
    return link.tlsSession();
  }

  /** Returns what this connection has carried. */
  public ConnectionCounters counters() {
    return link.counters;
  }

  /** Returns the object that was attached last. */
  public @Nullable Object attachment() {
    return attachment;
  }

  /** Attaches an object of the user's, in place of the last one. */
  public void attach(@Nullable Object attachment) {
    this.attachment = attachment;
  }

  /**
   * Sends a frame, and waits while the queue is full.
   *
   * @throws FramingException if the frame does not fit the format
   * @throws FrameNotSentException if the connection is closed
   * @throws InterruptedIOException if the thread was interrupted; the frame is not sent
   * @throws IllegalStateException if it would have to wait on an event loop
   */
  public void send(byte[] frame) throws IOException {
    sending.send(requireNonNull(frame, "frame"));
  }

  /** Sends what is left in a buffer as a frame, and waits while the queue is full. */
  public void send(ByteBuffer frame) throws IOException {
    sending.send(requireNonNull(frame, "frame"));
  }

  /** Sends a buffer as a frame, and waits while the queue is full. */
  public void send(ByteBuf frame) throws IOException {
    sending.send(requireNonNull(frame, "frame"));
  }

  /**
   * Sends a frame if the queue has room now.
   *
   * @return whether it has; if not, the frame is not sent
   */
  public boolean trySend(byte[] frame) throws IOException {
    return sending.trySend(requireNonNull(frame, "frame"));
  }

  /** Sends what is left in a buffer as a frame if the queue has room now. */
  public boolean trySend(ByteBuffer frame) throws IOException {
    return sending.trySend(requireNonNull(frame, "frame"));
  }

  /** Sends a buffer as a frame if the queue has room now; it is released if not. */
  public boolean trySend(ByteBuf frame) throws IOException {
    return sending.trySend(requireNonNull(frame, "frame"));
  }

  /**
   * Sends a frame without waiting.
   *
   * @return completes when the frame is in the kernel. While the frame waits for room it can be
   *     cancelled, and then it is not sent; later cancelling does nothing. If as much as the queue
   *     holds waits already, it fails with a {@link FrameNotSentException}. Dependent actions run
   *     on the event loop and must not block.
   */
  public CompletableFuture<Void> sendAsync(byte[] frame) {
    return sending.sendAsync(requireNonNull(frame, "frame"));
  }

  /** Sends what is left in a buffer as a frame without waiting. */
  public CompletableFuture<Void> sendAsync(ByteBuffer frame) {
    return sending.sendAsync(requireNonNull(frame, "frame"));
  }

  /** Sends a buffer as a frame without waiting. */
  public CompletableFuture<Void> sendAsync(ByteBuf frame) {
    return sending.sendAsync(requireNonNull(frame, "frame"));
  }

  /**
   * Sends a frame that the peer does not answer, without waiting: like {@link #sendAsync(byte[])},
   * and only different on a connection with {@linkplain FramedClient#request requests}, now or
   * later. On such a connection every other frame is taken to be answered by one.
   */
  public CompletableFuture<Void> sendUnanswered(byte[] frame) {
    return sending.sendUnanswered(requireNonNull(frame, "frame"));
  }

  /**
   * Sends part of a buffer as a frame, from a {@link BatchHandler} and on its event loop. It never
   * waits: it is gathered with the other replies to a read, and flushed with them; outside of a
   * read, in a dependent action or a scheduled task, it is flushed a moment later. It keeps its
   * order with frames that the event loop sends in other ways. While replies wait for a peer beyond
   * the bound, the peer is not read from. On a connection that is closed, or has sent its FIN, it
   * is dropped, and counted as not sent.
   *
   * @throws IllegalStateException if this is not the event loop of a connection with a batch
   *     handler
   * @throws UncheckedIOException if the frame does not fit the format
   */
  public void reply(ByteBuf buffer, int index, int length) {
    try {
      link.reply(buffer, index, length);
    } catch (FramingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Sends a frame; like {@link #reply(ByteBuf, int, int)}. It is copied. */
  public void reply(byte[] frame) {
    reply(Unpooled.wrappedBuffer(frame), 0, frame.length);
  }

  /**
   * Sends frames as they are; like {@link #reply(ByteBuf, int, int)}. They are taken over, and
   * released also if this throws.
   */
  public void reply(EncodedFrames frames) {
    link.reply(requireNonNull(frames, "frames"));
  }

  /**
   * Receives the next frame, and waits for it. Several threads may receive; each frame goes to one
   * of them, and the end to all.
   *
   * @return the frame, the caller's own, or {@code null} if the peer has ended its side, or the
   *     server is stopping, and no frame is left
   * @throws FramingException if the peer broke the format or was cut inside a frame
   * @throws InterruptedIOException if the thread was interrupted; nothing is lost
   * @throws IOException if the connection broke or was closed
   * @throws IllegalStateException if frames are received in another way
   */
  public byte @Nullable [] receive() throws IOException {
    return receiving.receive();
  }

  /**
   * Receives the next frame, and waits for it for so long.
   *
   * @throws SocketTimeoutException if there was none in that time; nothing is lost
   */
  public byte @Nullable [] receive(Duration timeout) throws IOException {
    return receiving.receive(timeout);
  }

  /** Returns the requests of a client, which take all frames from the first time on. */
  Requests requests(int maxInFlight) {
    return receiving.requests(sending, maxInFlight);
  }

  /**
   * Returns an iterator that receives, for {@code for (byte[] frame : connection)}. It ends where
   * {@link #receive} returns {@code null}, and throws an {@link UncheckedIOException} where that
   * throws.
   */
  @Override
  public Iterator<byte[]> iterator() {
    return new FrameIterator(this::receive);
  }

  /**
   * Returns the frames as a publisher, for one subscriber. It is called on the event loop and must
   * not block; the peer is not read from while nothing is requested and the inbound queue is full.
   * Cancelling the subscription closes the connection.
   */
  public Flow.Publisher<byte[]> publisher() {
    return new FramePublisher(link);
  }

  /**
   * Returns a subscriber that sends each frame it is given, and asks for more as they reach the
   * kernel. When it completes, a FIN is sent behind them; an error closes the connection.
   */
  public Flow.Subscriber<byte[]> subscriber() {
    return new FrameSubscriber(link, sending);
  }

  /**
   * Uses another format from the next frame on, in both directions: after a handshake, for
   * instance. Bytes of the peer that have come already are decoded with it; none is lost. To be
   * called by the one who receives, between two frames; a {@link BatchHandler} says between which
   * two by {@link dev.mullion.framing.FrameBatch#endAfter}, and else it is behind the last frame of
   * the batch.
   *
   * @throws IllegalStateException if the format can only decode; or if it is for a batch handler,
   *     and the call is not on its event loop, or inside of a frame that comes in parts
   */
  public void format(FrameFormat format) {
    link.format(requireNonNull(format, "format"));
  }

  /** Returns the format of the next frame that is received. */
  public FrameFormat format() {
    return link.format();
  }

  /**
   * Takes the bytes that have come and are in no frame that was received, for whoever goes on with
   * another protocol; what comes later can be taken in the same way.
   *
   * @throws IllegalStateException if there is a batch handler, or a request was made, which take
   *     them
   */
  public byte[] takeReceivedBytes() {
    return receiving.takeBytes();
  }

  /**
   * Returns whether frames can be sent and received. It is {@code false} as soon as either side has
   * ended its direction, by {@link #endOutput} or a FIN for instance, though the other direction
   * may still be in use: frames that came before the peer's end can still be received, and to a
   * peer that only ended its own side can still be sent, except by a client that connects again.
   */
  public boolean isOpen() {
    return !isClosed() && !link.ending.hasBegun();
  }

  /** Whether nothing can be sent or received any more. */
  boolean isClosed() {
    return !link.context().channel().isActive() || link.closed().isDone();
  }

  /** Returns whether the server is stopping; a handler that sees it should come to an end. */
  public boolean isStopping() {
    return link.ending.isStopping();
  }

  /**
   * Returns a stage that completes when the connection is closed: normally, or with the error that
   * ended it. Dependent actions run on the event loop and must not block.
   */
  public CompletionStage<Void> closed() {
    return link.closed().minimalCompletionStage();
  }

  /**
   * Sends what was taken and then the end of this side; the peer may go on sending. Frames of
   * {@link #sendAsync(byte[])} that still wait for room are not taken: they fail with a {@link
   * FrameNotSentException}.
   */
  public void endOutput() {
    link.ending.finishOutput();
  }

  /**
   * Closes like {@link #close}, without waiting for that. Frames that still wait for room fail as
   * with {@link #endOutput}.
   */
  public void closeWhenSent() {
    link.ending.finish();
  }

  /** Closes at once; what was taken and not sent is lost, and counted. */
  public void abort() {
    link.ending.abort(null);
  }

  /**
   * Takes no more frames, sends what was taken and then the end of this side, and closes when the
   * peer has ended its side too. Until then it reads what the peer still sends, drops it, and
   * counts it ({@link TcpCounters#bytesNotHandled}): closing the socket earlier would reset the
   * connection, and the peer could lose frames that were sent. A peer that does not end within half
   * of {@code closeTimeout} is not waited for any longer, and is counted ({@link
   * TcpCounters#closesUnconfirmed}). If no frame was ever sent, or the peer has ended already, the
   * socket is closed at once.
   *
   * <p>Waits for all of that for the {@code closeTimeout} of its server or client and then closes
   * by force; on the event loop it does not wait. Interrupting the thread ends its waiting only:
   * what was taken is still sent in that time.
   */
  @Override
  public void close() {
    link.ending.finish();
    if (!link.context().executor().inEventLoop()) {
      link.awaitClosed();
    }
  }

  /** Ends what others wait for while the event loop is held; returns whether that was counted. */
  boolean cutFromOutside(IOException why) {
    boolean counted = link.cutFromOutside(why);
    receiving.cutFromOutside(why);
    return counted;
  }

  /** Names the peer. */
  @Override
  public String toString() {
    return "FramedConnection[" + remoteAddress + "]";
  }
}

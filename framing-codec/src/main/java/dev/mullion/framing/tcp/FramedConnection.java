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
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * A connection that sends and receives whole frames. A {@link FramedServer} passes one to its
 * handler; a {@link FramedClient} opens one.
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
 * <p><b>Sending.</b> Any thread may send; frames of one thread keep their order. When a method
 * returns, the frame has been copied and the array or {@code ByteBuffer} may be reused; a {@code
 * ByteBuf} is taken over and released in every case. Bytes that are not in the kernel yet are
 * bounded: above {@code outboundHighWaterMark} {@link #send} waits until fewer than {@code
 * outboundLowWaterMark} remain, {@link #sendAsync} completes later, and {@link #trySend} returns
 * {@code false}. A {@link FrameNotSentException} means that no byte of the frame was sent.
 *
 * <p><b>Receiving.</b> Each connection receives in one way, chosen by the first call: {@link
 * #receive} or the iterator, {@link #publisher}, or the requests of a client. With a {@link
 * BatchHandler} that handler receives. Reading from the peer pauses while {@code
 * inboundHighWaterMark} bytes wait.
 *
 * <p><b>The end.</b> {@link #receive} returns {@code null} when the peer has ended its side between
 * two frames, and throws if the connection was cut. A peer that has ended its side may still read
 * what was sent. {@link #close} sends the accepted frames and closes.
 */
public final class FramedConnection implements Iterable<byte[]>, AutoCloseable {
  private static final AtomicReferenceFieldUpdater<FramedConnection, @Nullable Receiving>
      RECEIVING = AtomicReferenceFieldUpdater.newUpdater(
          FramedConnection.class, Receiving.class, "receiving");

  private final Link link;

  private volatile @Nullable Receiving receiving;
  private volatile @Nullable Object attachment;

  /** Created on the event loop, when the connection is open. */
  FramedConnection(Link link) {
    this.link = link;
    requireNonNull(link.peer(), "peer");
    // Netty keeps it from now on; later the socket may be closed.
    localAddress();
  }

  /** It has no state. */
  private Sending sending() {
    return new Sending(link);
  }

  private Receiving receiving() {
    Receiving present = receiving;
    if (present == null) {
      RECEIVING.compareAndSet(this, null, new Receiving(link));
      present = requireNonNull(receiving, "receiving");
    }
    return present;
  }

  Link link() {
    return link;
  }

  /** Returns the local address, or {@code null} if the socket has none. */
  public @Nullable SocketAddress localAddress() {
    return Sockets.localAddress(link.context().channel());
  }

  /** Returns the peer's address. */
  public SocketAddress remoteAddress() {
    return requireNonNull(link.peer(), "peer");
  }

  /** Returns the TLS session, or {@code null} without TLS. */
  public @Nullable SSLSession tlsSession() {
    return link.tlsSession();
  }

  /** Returns the counters of this connection. */
  public ConnectionCounters counters() {
    return link.counters;
  }

  /** Returns the attached object, or {@code null}. */
  public @Nullable Object attachment() {
    return attachment;
  }

  /** Attaches a user object; it replaces the previous one. */
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
    sending().send(requireNonNull(frame, "frame"));
  }

  /** Sends the remaining bytes of a buffer as a frame, and waits while the queue is full. */
  public void send(ByteBuffer frame) throws IOException {
    sending().send(requireNonNull(frame, "frame"));
  }

  /** Sends a buffer as a frame, and waits while the queue is full. */
  public void send(ByteBuf frame) throws IOException {
    sending().send(requireNonNull(frame, "frame"));
  }

  /**
   * Sends a frame if the queue has room now.
   *
   * @return whether it was accepted; if not, it is not sent
   */
  public boolean trySend(byte[] frame) throws IOException {
    return sending().trySend(requireNonNull(frame, "frame"));
  }

  /** Sends the remaining bytes of a buffer as a frame if the queue has room now. */
  public boolean trySend(ByteBuffer frame) throws IOException {
    return sending().trySend(requireNonNull(frame, "frame"));
  }

  /** Sends a buffer as a frame if the queue has room now; it is released if not. */
  public boolean trySend(ByteBuf frame) throws IOException {
    return sending().trySend(requireNonNull(frame, "frame"));
  }

  /**
   * Sends a frame without waiting.
   *
   * @return completes when the frame is in the kernel. Cancelling while the frame waits for room
   *     prevents it from being sent; later it has no effect. If a full queue's worth of frames
   *     waits already, it fails with a {@link FrameNotSentException}. Dependent actions run on the
   *     event loop and must not block.
   */
  public CompletableFuture<Void> sendAsync(byte[] frame) {
    return sending().sendAsync(requireNonNull(frame, "frame"));
  }

  /** Sends the remaining bytes of a buffer as a frame without waiting. */
  public CompletableFuture<Void> sendAsync(ByteBuffer frame) {
    return sending().sendAsync(requireNonNull(frame, "frame"));
  }

  /** Sends a buffer as a frame without waiting. */
  public CompletableFuture<Void> sendAsync(ByteBuf frame) {
    return sending().sendAsync(requireNonNull(frame, "frame"));
  }

  /**
   * Sends a frame that the peer does not answer, without waiting. It differs from {@link
   * #sendAsync(byte[])} only on a connection that uses {@linkplain FramedClient#request requests},
   * now or later: there every other frame is expected to be answered by one frame.
   */
  public CompletableFuture<Void> sendUnanswered(byte[] frame) {
    return sending().sendUnanswered(requireNonNull(frame, "frame"));
  }

  /**
   * Sends part of a buffer as a frame, from a {@link BatchHandler} on its event loop. It never
   * waits: replies to a read are collected and flushed together. Outside of a read, for instance in
   * a dependent action or a scheduled task, they are flushed shortly after. Replies keep their
   * order with other frames that the event loop sends. While too many replies are queued for the
   * peer, reading from it pauses. If the connection is closed or has sent its FIN, the reply is
   * dropped and counted as not sent.
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

  /** Sends a copy of a frame; like {@link #reply(ByteBuf, int, int)}. */
  public void reply(byte[] frame) {
    reply(Unpooled.wrappedBuffer(frame), 0, frame.length);
  }

  /**
   * Sends encoded frames; like {@link #reply(ByteBuf, int, int)}. They are taken over, and released
   * even if this throws.
   */
  public void reply(EncodedFrames frames) {
    link.reply(requireNonNull(frames, "frames"));
  }

  /**
   * Receives the next frame, and waits for it. Several threads may receive; each frame goes to one
   * of them, and the end to all.
   *
   * @return the frame, owned by the caller, or {@code null} if no frame is left and the peer has
   *     ended its side or the server is stopping
   * @throws FramingException if the peer broke the format or was cut inside a frame
   * @throws InterruptedIOException if the thread was interrupted; nothing is lost
   * @throws IOException if the connection broke or was closed
   * @throws IllegalStateException if frames are received in another way
   */
  public byte @Nullable [] receive() throws IOException {
    return receiving().receive();
  }

  /**
   * Receives the next frame, and waits for it up to the timeout.
   *
   * @throws SocketTimeoutException if no frame arrived in that time; nothing is lost
   */
  public byte @Nullable [] receive(Duration timeout) throws IOException {
    return receiving().receive(timeout);
  }

  /** Returns the requests of a client; once used, they take all frames. */
  Requests requests(int maxInFlight) {
    return receiving().requests(sending(), maxInFlight);
  }

  /**
   * Returns an iterator that receives, for {@code for (byte[] frame : connection)}. It ends where
   * {@link #receive} returns {@code null}; where that throws, it throws an {@link
   * UncheckedIOException}.
   */
  @Override
  public Iterator<byte[]> iterator() {
    return new FrameIterator(this::receive);
  }

  /**
   * Returns the frames as a publisher for one subscriber. The subscriber runs on the event loop and
   * must not block. Reading from the peer pauses while nothing is requested and the inbound queue
   * is full. Cancelling the subscription closes the connection.
   */
  public Flow.Publisher<byte[]> publisher() {
    return new FramePublisher(link);
  }

  /**
   * Returns a subscriber that sends each frame, and requests more as they reach the kernel. On
   * completion a FIN follows the frames; an error closes the connection.
   */
  public Flow.Subscriber<byte[]> subscriber() {
    return new FrameSubscriber(link, sending());
  }

  /**
   * Switches to another format from the next frame on, in both directions, for instance after a
   * handshake. Bytes already received are decoded with it; none is lost. Call it from the receiver,
   * between two frames. A {@link BatchHandler} marks the position with {@link
   * dev.mullion.framing.FrameBatch#endAfter}; otherwise the switch follows the last frame of the
   * batch.
   *
   * @throws IllegalStateException if the format can only decode; or, with a batch handler, if the
   *     call is not on its event loop or is inside a frame delivered in parts
   */
  public void format(FrameFormat format) {
    link.format(requireNonNull(format, "format"));
  }

  /** Returns the format of the next frame to receive. */
  public FrameFormat format() {
    return link.format();
  }

  /**
   * Takes the received bytes that belong to no received frame, to continue with another protocol.
   * Later bytes can be taken in the same way.
   *
   * @throws IllegalStateException if a batch handler or a client's requests take the bytes
   */
  public byte[] takeReceivedBytes() {
    return receiving().takeBytes();
  }

  /**
   * Returns whether frames can be sent and received. It is {@code false} as soon as either side has
   * ended its direction, for instance by {@link #endOutput} or a FIN. The other direction may still
   * be in use: frames that arrived before the peer's end can still be received. Frames can still be
   * sent to a peer that only ended its own side, except by a client that reconnects.
   */
  public boolean isOpen() {
    return !isClosed() && !link.ending.hasBegun();
  }

  /** Whether the connection is closed in both directions. */
  boolean isClosed() {
    return !link.context().channel().isActive() || link.isClosed();
  }

  /** Returns whether the server is stopping; a handler should then finish. */
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
   * Sends the accepted frames and then the end of this side; the peer may keep sending. Frames of
   * {@link #sendAsync(byte[])} that still wait for room fail with a {@link FrameNotSentException}.
   */
  public void endOutput() {
    link.ending.finishOutput();
  }

  /**
   * Closes like {@link #close}, but does not wait. Frames that still wait for room fail as with
   * {@link #endOutput}.
   */
  public void closeWhenSent() {
    link.ending.finish();
  }

  /** Closes at once; accepted frames that are not sent are lost and counted. */
  public void abort() {
    link.ending.abort(null);
  }

  /**
   * Accepts no more frames, sends the accepted ones and then the end of this side, and closes when
   * the peer has ended its side too. Until then it reads, drops and counts input from the peer
   * ({@link TcpCounters#bytesNotHandled}): closing the socket earlier would reset the connection,
   * and the peer could lose sent frames. If the peer does not end within half of {@code
   * closeTimeout}, the socket is closed and counted ({@link TcpCounters#closesUnconfirmed}). If no
   * frame was ever sent, or the peer has ended already, the socket is closed at once.
   *
   * <p>Waits for up to the {@code closeTimeout} of its server or client and then closes by force;
   * on the event loop it does not wait. An interrupt ends only the waiting: accepted frames are
   * still sent in that time.
   */
  @Override
  public void close() {
    link.ending.finish();
    if (!link.context().executor().inEventLoop()) {
      link.awaitClosed();
    }
  }

  /** Ends pending waits while the event loop is held; returns whether lost bytes were counted. */
  boolean cutFromOutside(IOException why) {
    boolean counted = link.cutFromOutside(why);
    Receiving present = receiving;
    if (present != null) {
      present.cutFromOutside(why);
    }
    return counted;
  }

  /** Returns a description that names the peer. */
  @Override
  public String toString() {
    return "FramedConnection[" + link.peer() + "]";
  }
}

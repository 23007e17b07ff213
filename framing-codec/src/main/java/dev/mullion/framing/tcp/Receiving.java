package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import org.jspecify.annotations.Nullable;

/** The ways to receive frames on a connection, except by a batch handler. */
final class Receiving {
  private static final String RECEIVE = "receive()";

  private static final long FOREVER = TimeUnit.DAYS.toNanos(365 * 100);

  private static final AtomicReferenceFieldUpdater<Receiving, @Nullable Requests> REQUESTS =
      AtomicReferenceFieldUpdater.newUpdater(Receiving.class, Requests.class, "requests");

  private final Link link;
  private volatile @Nullable Requests requests;

  Receiving(Link link) {
    this.link = link;
  }

  private Inbox claim(String way) {
    Inbox inbox = link.inbox(way);
    inbox.claim().claim(way);
    return inbox;
  }

  /** Receives the next frame, and waits for it; {@code null} at the end. */
  byte @Nullable [] receive() throws IOException {
    return take(claim(RECEIVE), FOREVER);
  }

  /** Receives the next frame, and waits for it up to the timeout. */
  byte @Nullable [] receive(Duration timeout) throws IOException {
    long nanos = TimeUnit.NANOSECONDS.convert(timeout);
    Inbox inbox = claim(RECEIVE);
    byte[] frame = take(inbox, nanos);
    if (frame != null) {
      return frame;
    }
    if (!inbox.isAtEnd()) {
      throw new SocketTimeoutException(
          "no frame received in " + timeout.toMillis() + " ms (peer " + link.peer() + ")");
    }
    return inbox.poll();
  }

  private byte @Nullable [] take(Inbox inbox, long nanos) throws IOException {
    if (link.context().executor().inEventLoop()) {
      throw new IllegalStateException("receive() would wait on the event loop");
    }
    try {
      return inbox.take(nanos);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while waiting for a frame");
    }
  }

  /** Returns the requests of a client; once used, they take all frames. */
  Requests requests(Sending sending, int maxInFlight) {
    Requests present = requests;
    if (present != null) {
      return present;
    }
    Inbox inbox = claim("request()");
    if (inbox.wereBytesTaken()) {
      throw new IllegalStateException(
          "request() cannot be used: takeReceivedBytes() has taken bytes"
              + " that may have been replies (peer " + link.peer() + ")");
    }
    Requests made = new Requests(link, inbox, sending, maxInFlight);
    if (REQUESTS.compareAndSet(this, null, made)) {
      made.start();
      return made;
    }
    return requireNonNull(requests, "requests");
  }

  /** Takes the received bytes that belong to no received frame. */
  byte[] takeBytes() {
    if (requests != null) {
      throw new IllegalStateException("request() takes the received bytes");
    }
    return link.takeReceivedBytes();
  }

  /** Ends the wait of a caller for a reply, while the event loop is held. */
  void cutFromOutside(IOException why) {
    Requests present = requests;
    if (present != null) {
      present.end(why);
    }
  }
}

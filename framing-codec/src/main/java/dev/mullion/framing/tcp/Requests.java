package dev.mullion.framing.tcp;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The requests on one connection that wait for their replies, which come in the same order. One that
 * was cancelled or has timed out keeps its place until its reply has come, and has been dropped.
 */
final class Requests {
  /** A request; also what its sender gets. */
  private static final class Request extends CompletableFuture<byte[]> {
    private @Nullable CompletableFuture<Void> sent;
    private @Nullable ScheduledFuture<?> timeout;

    private void done() {
      if (timeout != null) {
        timeout.cancel(false);
      }
    }
  }

  private final FramedConnection connection;
  private final int maxInFlight;
  private final TcpCounters totals;
  private final Deque<Request> inFlight = new ArrayDeque<>();
  private @Nullable IOException ended;

  Requests(FramedConnection connection, int maxInFlight) {
    this.connection = connection;
    this.maxInFlight = maxInFlight;
    totals = connection.link().totals;
  }

  /** Begins to take replies. On a connection that the peer has ended already, nothing can be sent. */
  void start() {
    try {
      if (connection.inbox().endsHere()) {
        end(new IOException("connection was closed by the peer (peer " + peer() + ")"));
      }
    } catch (IOException e) {
      end(e);
    }
    ((QueueLink) connection.link()).onArrival(this::takeReplies);
  }

  CompletableFuture<byte[]> send(byte[] frame, long timeoutNanos) {
    Request request = new Request();
    synchronized (inFlight) {
      if (ended != null) {
        return CompletableFuture.failedFuture(
            new FrameNotSentException("connection is closed (peer " + peer() + ")", ended));
      }
      if (inFlight.size() >= maxInFlight) {
        totals.sendsRefused.increment();
        return CompletableFuture.failedFuture(new FrameNotSentException("request is not sent: "
            + inFlight.size() + " are in flight (maxRequestsInFlight: " + maxInFlight + ", peer "
            + peer() + ")"));
      }
      request.sent = connection.sendAsync(frame);
      inFlight.add(request);
    }
    request.sent.whenComplete((done, error) -> sent(request, error));
    if (!request.isDone()) {
      // The event loop of one that could not be sent may have ended.
      request.timeout = connection
          .link()
          .context()
          .executor()
          .schedule(() -> timedOut(request, timeoutNanos), timeoutNanos, TimeUnit.NANOSECONDS);
    }
    request.whenComplete((reply, error) -> ended(request, error));
    return request;
  }

  /** A frame that was not sent gets no reply, so that its place must not wait for one. */
  private void sent(Request request, @Nullable Throwable error) {
    if (error != null) {
      synchronized (inFlight) {
        inFlight.remove(request);
      }
      request.completeExceptionally(error);
    }
  }

  private void ended(Request request, @Nullable Throwable error) {
    request.done();
    CompletableFuture<Void> sent = request.sent;
    if (error != null && sent != null && sent.cancel(false)) {
      synchronized (inFlight) {
        inFlight.remove(request);
      }
    }
  }

  private void timedOut(Request request, long nanos) {
    if (request.completeExceptionally(new TimeoutException("no reply came in "
        + TimeUnit.NANOSECONDS.toMillis(nanos) + " ms (requestTimeout, peer " + peer() + ")"))) {
      totals.requestsTimedOut.increment();
    }
  }

  /** On the event loop. */
  private void takeReplies() {
    Inbox inbox = connection.inbox();
    try {
      for (byte[] reply = inbox.poll(); reply != null; reply = inbox.poll()) {
        take(reply);
      }
      if (inbox.isAtEnd()) {
        end(new IOException(
            "connection was closed by the peer before the reply came; the request may"
                + " have been handled (peer " + peer() + ")"));
      }
    } catch (IOException e) {
      end(new IOException(
          "connection was lost before the reply came; the request may have been" + " handled (peer "
              + peer() + "): " + e.getMessage(),
          e));
    }
  }

  private void take(byte[] reply) {
    Request request;
    synchronized (inFlight) {
      request = inFlight.poll();
    }
    if (request == null || !request.complete(reply)) {
      totals.repliesDropped.increment();
    }
  }

  private void end(IOException why) {
    List<Request> lost;
    synchronized (inFlight) {
      if (ended != null) {
        return;
      }
      ended = why;
      lost = new ArrayList<>(inFlight);
      inFlight.clear();
    }
    lost.forEach(request -> request.completeExceptionally(why));
    connection.closeWhenSent();
  }

  private Object peer() {
    return connection.remoteAddress();
  }
}

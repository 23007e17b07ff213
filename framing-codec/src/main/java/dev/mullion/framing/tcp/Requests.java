package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.TooLargePolicy;
import dev.mullion.framing.tcp.Place.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The requests on one connection; replies arrive in the order in which the requests were sent.
 * {@link DueReplies} matches them. A cancelled or timed-out request keeps its place there until its
 * reply has arrived and was dropped.
 */
final class Requests {
  private final Link link;
  private final Inbox inbox;
  private final Outbound outbound;
  private final Sending sending;
  private final int maxInFlight;
  private final TcpCounters totals;
  private final RequestTimeouts timeouts;

  Requests(Link link, Inbox inbox, Sending sending, int maxInFlight) {
    this.link = link;
    this.inbox = inbox;
    this.sending = sending;
    this.maxInFlight = maxInFlight;
    outbound = link.outbound();
    totals = link.totals();
    timeouts = new RequestTimeouts(link.context().executor(), this::pending, this::timedOut);
  }

  /** Begins to take replies. If the peer has already ended the connection, requests fail. */
  void start() {
    try {
      if (inbox.endsHere()) {
        end(new IOException("connection was closed by the peer (peer " + peer() + ")"));
      }
    } catch (IOException e) {
      end(e);
    }
    inbox.arrivals.onArrival(this::takeReplies);
  }

  CompletableFuture<byte[]> send(byte[] frame, long timeoutNanos) {
    Request request = new Request(timeoutNanos);
    PendingSend waits;
    try {
      waits = sending.sendRequest(frame, request, maxInFlight);
    } catch (IOException e) {
      return CompletableFuture.failedFuture(e);
    }
    if (waits != null) {
      endTogether(request, waits);
    }
    try {
      timeouts.watch(request);
    } catch (RejectedExecutionException e) {
      // The event loop has ended, and with it every connection.
      request.completeExceptionally(lost(e));
    }
    return request;
  }

  /** A request that ends while it waits for room is not sent and gets no place. */
  private static void endTogether(Request request, PendingSend waits) {
    waits.whenComplete((sent, error) -> {
      if (error != null) {
        request.completeExceptionally(error);
      }
    });
    request.whenComplete((reply, error) -> waits.cancel(false));
  }

  /** Returns the requests that are not done, whether they are sent or wait for room. */
  private List<Request> pending() {
    List<Request> pending = new ArrayList<>();
    outbound.lock.lock();
    try {
      outbound.replies.addRequests(pending);
      outbound.waiting.addRequests(pending);
    } finally {
      outbound.lock.unlock();
    }
    pending.removeIf(Request::isDone);
    return pending;
  }

  private void timedOut(Request request) {
    if (request.completeExceptionally(new TimeoutException("no reply received in "
        + TimeUnit.NANOSECONDS.toMillis(request.timeoutNanos) + " ms (requestTimeout, peer "
        + peer() + ")"))) {
      totals.requestsTimedOut.increment();
    }
  }

  /** On the event loop. */
  private void takeReplies() {
    try {
      while (takeReply()) {
        // The next reply may have arrived too.
      }
      if (inbox.isAtEnd()) {
        end(new IOException(
            "connection was closed by the peer before the reply came; the request may"
                + " have been handled (peer " + peer() + ")" + hint()));
      }
    } catch (IOException e) {
      end(lost(e));
    }
  }

  private boolean takeReply() throws IOException {
    byte[] reply;
    try {
      reply = inbox.pollReportingSkipped();
    } catch (FrameTooLargeException e) {
      if (link.settings.tooLargePolicy() == TooLargePolicy.CLOSE) {
        throw e;
      }
      // It still answers a request; the next request must not get it.
      take(nextReply(), null, e);
      return true;
    }
    if (reply != null) {
      take(nextReply(), reply, null);
    }
    return reply != null;
  }

  /** Takes the place of the next reply; {@code null} if no reply is due. */
  private @Nullable Place nextReply() {
    outbound.lock.lock();
    try {
      return outbound.replies.poll();
    } finally {
      outbound.lock.unlock();
    }
  }

  private void take(@Nullable Place place, byte @Nullable [] reply, @Nullable Throwable error) {
    boolean taken = place instanceof Request request
        && (error == null ? request.complete(reply) : request.completeExceptionally(error));
    if (!taken) {
      totals.repliesDropped.increment();
      if (place == null) {
        totals.repliesUnrequested.increment();
      }
    }
  }

  /** A server that expects TLS closes a plain connection silently. */
  private String hint() {
    boolean silent = link.counters.bytesReceived() == 0;
    return silent && link.tlsSession() == null
        ? "; it sent nothing, and may require TLS (setting: tls)"
        : "";
  }

  private IOException lost(Exception error) {
    return new IOException(
        "connection was lost before the reply came; the request may have been handled (peer "
            + peer() + "): " + error.getMessage(),
        error);
  }

  /** Fails the requests that await a reply, and accepts no more. Any thread may call it. */
  void end(IOException why) {
    List<Request> lost;
    List<PendingSend> refused;
    outbound.lock.lock();
    try {
      if (outbound.replies.ended() != null) {
        return;
      }
      lost = outbound.replies.end(why);
      refused = outbound.waiting.removeAll(send -> send.place instanceof Request);
    } finally {
      outbound.lock.unlock();
    }
    refused.forEach(send -> send.refuse(peer(), why));
    timeouts.end();
    lost.forEach(request -> request.completeExceptionally(why));
    link.ending.finish();
  }

  private @Nullable Object peer() {
    return link.peer();
  }
}

package dev.mullion.messaging.grpc;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Error.Kind;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The frames of a client that are answered: those that wait for a connection or for room in the
 * server's window, in order, and those on their way. {@code Messaging} bounds their number. What
 * was on its way when the connection is lost fails; what waits goes out on the next one.
 */
final class LinkSends {
  private static final Duration TICK = Duration.ofMillis(50);

  private final String where;
  private final MessagingClock clock;
  private final Duration awayTimeout;

  /** These are guarded by this. */
  private final TreeMap<Long, Pending> waiting = new TreeMap<>();

  private final Map<Long, Order> sent = new HashMap<>();
  private final Deque<Pending> resuming = new ArrayDeque<>();
  private @Nullable LinkSession live;
  private long awaySince;
  private long lastOrder;
  private long sentBytes;
  private int resumeLeft;
  private boolean ticking;
  private boolean closed;
  private String why = "not connected yet";
  private volatile Runnable quiet = () -> {};

  private record Order(long order, Pending pending) {}

  LinkSends(String where, MessagingClock clock, Duration awayTimeout) {
    this.where = where;
    this.clock = clock;
    this.awayTimeout = awayTimeout;
    this.awaySince = clock.nanoTime();
  }

  /** Sends a frame as soon as there is room. */
  CompletableFuture<Done> submit(Pending pending) {
    MessagingException refused = null;
    LinkSession session;
    synchronized (this) {
      session = live;
      if (closed) {
        refused = new BrokerAwayException("the link to " + where + " is closed", null, false);
      } else if (isAwayTooLong()) {
        refused = awayError();
      } else {
        lastOrder++;
        if (session != null && isFirst(session) && fits(pending, session)) {
          write(lastOrder, pending, session);
        } else {
          waiting.put(lastOrder, pending);
          pump();
          expireLater();
        }
      }
    }
    if (refused != null) {
      fail(List.of(pending), refused);
    }
    if (session != null) {
      session.outbox.wake();
    }
    return pending.answer();
  }

  private boolean isAwayTooLong() {
    return live == null && clock.nanoTime() - awaySince > WireMessages.nanos(awayTimeout);
  }

  private BrokerAwayException awayError() {
    return new BrokerAwayException(absence(), null, false);
  }

  /** Notes why there is no connection. */
  synchronized void away(String why) {
    this.why = why;
  }

  /** Returns how long there has been no connection, and why. */
  synchronized String absence() {
    Duration away = Duration.ofNanos(clock.nanoTime() - awaySince);
    return "server " + where + " is away for " + away + ": " + why;
  }

  /** Moves what fits into the window to the stream. */
  private void pump() {
    LinkSession session = live;
    while (session != null && !session.isStopping()) {
      Pending next = resuming.peek();
      if (next == null && resumeLeft == 0 && !waiting.isEmpty()) {
        next = waiting.firstEntry().getValue();
      }
      if (next == null || !fits(next, session)) {
        return;
      }
      long order = resuming.poll() != null ? 0 : waiting.pollFirstEntry().getKey();
      write(order, next, session);
    }
  }

  /** Returns whether nothing goes out before the next frame. */
  private boolean isFirst(LinkSession session) {
    return waiting.isEmpty() && resumeLeft == 0 && !session.isStopping();
  }

  private void write(long order, Pending next, LinkSession session) {
    sent.put(next.id(), new Order(order, next));
    sentBytes += next.bytes();
    next.write().accept(session);
  }

  private boolean fits(Pending next, LinkSession session) {
    return sent.size() < session.welcome().getWindow()
        && (sentBytes == 0 || sentBytes + next.bytes() <= session.welcome().getWindowBytes());
  }

  /** Takes an answer of the live session. */
  void done(LinkSession session, Done done) {
    List<Pending> answered = new ArrayList<>(1 + done.getMoreIdsCount());
    synchronized (this) {
      take(done.getId(), done, answered);
      for (int i = 0; i < done.getMoreIdsCount(); i++) {
        take(done.getMoreIds(i), done, answered);
      }
      pump();
      expireLater();
    }
    session.outbox.wake();
    answered.forEach(each -> complete(each, done));
    quiet.run();
  }

  /** Takes a reply of the live session, which answers its request if that has no answer yet. */
  void replied(LinkSession session, long id) {
    done(session, Done.newBuilder().setId(id).build());
  }

  private void take(long id, Done done, List<Pending> answered) {
    Order order = sent.remove(id);
    if (order == null) {
      return;
    }
    sentBytes -= order.pending().bytes();
    if (order.order() == 0) {
      resumeLeft--;
    } else if (done.getError().getKind() == Kind.KIND_STOPPING && !closed) {
      // Certainly not accepted: it goes out on the next connection.
      waiting.put(order.order(), order.pending());
      return;
    }
    answered.add(order.pending());
  }

  private static void complete(Pending pending, Done done) {
    if (done.hasError()) {
      pending.answer().completeExceptionally(WireErrors.from(done.getError()));
    } else {
      pending.answer().complete(done);
    }
  }

  /**
   * Starts with a new session: what it has to know first goes out before all that waits.
   *
   * @param first frames that restore declarations and subscriptions
   */
  void connected(LinkSession session, List<Pending> first) {
    synchronized (this) {
      live = session;
      resuming.addAll(first);
      resumeLeft = first.size();
      pump();
    }
    session.outbox.wake();
  }

  /** Fails what was on its way. */
  void lost(LinkSession session, Throwable cause) {
    List<Pending> unknown = new ArrayList<>();
    synchronized (this) {
      if (live != session) {
        return;
      }
      live = null;
      awaySince = clock.nanoTime();
      sent.values().forEach(each -> unknown.add(each.pending()));
      unknown.addAll(resuming);
      sent.clear();
      resuming.clear();
      resumeLeft = 0;
      sentBytes = 0;
      expireLater();
    }
    BrokerAwayException lost = new BrokerAwayException(
        "connection to " + where + " was lost before the answer: " + cause.getMessage(),
        cause,
        true);
    fail(unknown, lost);
    quiet.run();
  }

  /** Starts the timer, if something waits; called with the lock. */
  private void expireLater() {
    if (!waiting.isEmpty() && !ticking) {
      clock.schedule(TICK, Later.on(Threads.OF_CLIENTS, this::expire));
      ticking = true; // not yet seen by expire(), which needs the lock
    }
  }

  /** Fails what has waited for too long. */
  private void expire() {
    List<Pending> expired = new ArrayList<>();
    MessagingException cause;
    synchronized (this) {
      ticking = false;
      boolean away = isAwayTooLong();
      long now = clock.nanoTime();
      cause = live == null ? awayError() : full(live);
      for (Iterator<Pending> all = waiting.values().iterator(); all.hasNext(); ) {
        Pending each = all.next();
        if (away || each.deadline() - now <= 0) {
          all.remove();
          expired.add(each);
        }
      }
      expireLater();
    }
    fail(expired, cause);
  }

  private MessagingException full(LinkSession session) {
    return new QueueFullException("no room within sendTimeout: " + sent.size() + " frames and "
        + sentBytes + " bytes are without an answer from " + where + " (expected: < "
        + session.welcome().getWindow() + " and <= " + session.welcome().getWindowBytes()
        + ", window and windowBytes of the server)");
  }

  private static void fail(Collection<Pending> all, MessagingException cause) {
    all.forEach(each -> each.answer().completeExceptionally(cause));
  }

  /** Withdraws a frame that was not written; returns whether it was. */
  boolean withdraw(long id) {
    Pending withdrawn = null;
    synchronized (this) {
      for (Iterator<Pending> all = waiting.values().iterator(); all.hasNext(); ) {
        Pending each = all.next();
        if (each.id() == id) {
          all.remove();
          withdrawn = each;
          break;
        }
      }
    }
    if (withdrawn != null) {
      withdrawn.answer().cancel(false);
    }
    return withdrawn != null;
  }

  /** Sets what runs when something was answered. */
  void whenQuiet(Runnable quiet) {
    this.quiet = quiet;
  }

  /** Returns whether nothing is on its way. */
  synchronized boolean isQuiet() {
    return sent.isEmpty() && (live == null || waiting.isEmpty());
  }

  /** Fails all that waits, and all that comes. */
  void close() {
    List<Pending> left;
    synchronized (this) {
      closed = true;
      left = new ArrayList<>(waiting.values());
      waiting.clear();
    }
    fail(left, new BrokerAwayException("the link to " + where + " was closed", null, false));
  }
}

package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Sink;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A source that has to settle what it fetched. The broker knows a prefetch, and no credit: it hands
 * out the next message when one is settled. What then finds no credit waits here; if it does so for
 * too long (a paused worker, a handler that does not return), it is given back, and the source
 * consumes nothing until there is credit again.
 *
 * <pre>
 *  consuming --no credit for what waits--&gt; suspended --credit--&gt; consuming
 *      '------------- cancel -----------------'-------------&gt; cancelled --&gt; closed
 * </pre>
 */
abstract class FetchingSource implements Restored {
  /** How long the last copies are waited for; blocked publishers get no confirms. */
  private static final long LAST_COPIES = TimeUnit.SECONDS.toNanos(5);

  private static final long LAST_COPIES_BLOCKED = TimeUnit.MILLISECONDS.toNanos(500);

  /** What a queue had on its way when its consumer was cancelled, comes within this time. */
  private static final long LATE_MILLIS = 20;

  final RabbitMqLink link;
  private final Sink sink;
  private final long patience;
  private final CompletableFuture<@Nullable Void> cancelDone = new CompletableFuture<>();
  private final Returning returning = new Returning();
  private final AtomicBoolean closing = new AtomicBoolean();
  private final Object subscribing = new Object();
  private volatile @Nullable CompletableFuture<@Nullable Void> gate;
  private final Arrivals arrivals = new Arrivals();
  private volatile boolean cancelled;
  private volatile boolean closed;

  /** These are guarded by subscribing. */
  private final List<Channel> channels = new ArrayList<>();

  private @Nullable Session on;

  /** These are guarded by this. */
  private final Deque<Fetched> waiting = new ArrayDeque<>();

  private long credit;
  private long waitsSince;
  private boolean suspended;
  private boolean givingBack; // nothing is consumed: late arrivals go back at once

  FetchingSource(RabbitMqLink link, Sink sink, Duration patience) {
    this.link = link;
    this.sink = sink;
    this.patience = Publisher.nanos(patience);
  }

  /** Opens channels on a session, and consumes. */
  abstract void start(Session session) throws IOException;

  /** Consumes again. */
  abstract void resume() throws IOException;

  /** Asks a queue for something, and returns when it has answered. */
  abstract void roundTrip() throws IOException;

  /** Asks the broker to hand out nothing more, and returns when it has agreed. */
  abstract void suspend() throws IOException;

  /** Opens a channel that is closed with this. */
  final Channel open(Session session) throws IOException {
    Channel opened = link.sources().open(this, session);
    channels.add(opened);
    return opened;
  }

  /** Closes the channels: the broker takes back what was not settled. */
  final void closeChannels() {
    channels.forEach(link::abort);
    channels.clear();
    ended();
  }

  @Override
  public final void subscribe(Session session) throws IOException {
    synchronized (subscribing) {
      if (cancelled || on == session) {
        return;
      }
      on = session;
      channels.removeIf(each -> !each.isOpen()); // of lost sessions
      arrivals.arrived();
      synchronized (this) {
        suspended = false;
        givingBack = false;
      }
      try {
        start(session);
      } catch (IOException | RuntimeException e) {
        channels.remove(BrokerErrors.unanswered(e)); // it is closed later
        end();
        throw e;
      }
    }
  }

  /** Returns whether it could take something, and nothing has arrived for that time. */
  final synchronized boolean waitsLongerThan(long nanos) {
    return credit > 0 && waiting.isEmpty() && !suspended && !cancelled && arrivals.noneFor(nanos);
  }

  /** Begins to wait anew, and consumes on new channels: the broker may think that some is here. */
  final void startAgain() {
    arrivals.arrived();
    link.ask(this::startAgainNow);
  }

  private void startAgainNow() {
    Session session;
    synchronized (subscribing) {
      session = on;
      if (session == null || session.isOver() || !waitsLongerThan(0)) {
        return;
      }
      end();
    }
    link.sources().beginAgain(this, session);
  }

  private void end() {
    on = null;
    closeChannels();
  }

  /** Takes what has arrived. */
  final void arrived(Fetched delivery) {
    arrivals.arrived();
    boolean held;
    boolean goesBack;
    synchronized (this) { // else what is lost meanwhile would still wait here
      held = delivery.isHeld();
      goesBack = closed || givingBack;
      if (held && !goesBack && (cancelled || credit == 0)) {
        if (waiting.isEmpty()) {
          waitsSince = System.nanoTime();
        }
        waiting.add(delivery);
        return;
      }
      credit -= held && !goesBack ? 1 : 0;
    }
    if (!held) { // it came just before its channel was closed
      delivery.forget();
    } else if (goesBack) {
      returning.giveBack(delivery);
    } else {
      sink.deliver(delivery);
    }
  }

  @Override
  public final void request(int deliveries) {
    List<Fetched> now = new ArrayList<>();
    boolean isSuspended;
    synchronized (this) {
      credit += deliveries;
      while (credit > 0 && !waiting.isEmpty() && !cancelled) {
        credit--;
        now.add(waiting.remove());
      }
      waitsSince = System.nanoTime();
      isSuspended = suspended;
    }
    for (Fetched each : now) {
      if (each.refuse()) {
        request(1);
      } else {
        sink.deliver(each);
      }
    }
    if (isSuspended) {
      link.ask(this::resumeNow);
    }
  }

  private void resumeNow() {
    synchronized (subscribing) {
      Session session = on;
      synchronized (this) {
        if (!suspended || cancelled || credit == 0) {
          return;
        }
        suspended = false;
        givingBack = false;
      }
      if (session == null || session.isOver()) {
        return;
      }
      use(session, this::resume);
    }
  }

  /** Uses a channel of a session, and begins again on others if a queue does not answer there. */
  final boolean use(Session session, Session.Use channel) {
    return session.use(channel, unanswered -> leave(session, unanswered));
  }

  private void leave(Session session, Channel unanswered) {
    synchronized (subscribing) {
      if (channels.remove(unanswered)) {
        end();
        lost(session);
        link.sources().closeOnceAnswered(unanswered);
        link.sources().beginAgainLater(this, session);
      }
    }
  }

  /** Looks whether something waits for too long; called now and then. */
  @Override
  public void look() {
    synchronized (this) {
      if (suspended
          || cancelled
          || credit > 0
          || waiting.isEmpty()
          || System.nanoTime() - waitsSince < patience) {
        return;
      }
      suspended = true;
    }
    link.ask(this::suspendNow);
  }

  private void suspendNow() {
    synchronized (subscribing) {
      synchronized (this) {
        if (!suspended) {
          return;
        }
      }
      suspendQuietly();
      giveBackWaiting(); // before it consumes again: then it would give back all that arrives
    }
    resumeNow();
  }

  private void suspendQuietly() {
    Session session = on;
    if (session == null || session.isOver()) {
      return;
    }
    CompletableFuture<@Nullable Void> closing = new CompletableFuture<>();
    gate = closing;
    try {
      use(session, () -> {
        arrivals.awaitNone(this::roundTrip);
        suspend();
      });
    } finally {
      gate = null;
      closing.complete(null);
    }
  }

  /** See {@link JobOwner#gate}. */
  public final @Nullable CompletableFuture<@Nullable Void> gate() {
    return gate;
  }

  private CompletableFuture<@Nullable Void> giveBackWaiting() {
    List<CompletableFuture<?>> back = new ArrayList<>();
    synchronized (this) {
      givingBack = true;
    }
    for (Fetched each = next(); each != null; each = next()) {
      back.add(returning.giveBack(each));
    }
    return CompletableFuture.allOf(back.toArray(CompletableFuture[]::new));
  }

  final synchronized int waitingCount() {
    return waiting.size();
  }

  private synchronized @Nullable Fetched next() {
    return waiting.poll();
  }

  @Override
  public final CompletionStage<Void> ready() {
    return CompletableFuture.completedFuture(null); // the broker has answered in subscribe
  }

  @Override
  public final void lost(Session session) {
    List<Fetched> gone = new ArrayList<>();
    synchronized (this) {
      waiting.removeIf(each -> each.session() == session && gone.add(each));
    }
    gone.forEach(Fetched::forget);
    ended();
  }

  @Override
  public final boolean lost(Session session, Channel channel) {
    synchronized (subscribing) {
      if (!channels.contains(channel)) {
        return false;
      }
      end();
      lost(session);
    }
    return !cancelled;
  }

  /** Forgets what was handed out: the broker has it again. */
  void ended() {}

  @Override
  public final void failed(MessagingException cause) {
    if (!cancelled) {
      sink.failed(cause);
    }
    cancel(); // its other queue may be there
  }

  final boolean isCancelled() {
    return cancelled;
  }

  @Override
  public final void cancel() {
    synchronized (this) {
      if (cancelled) {
        return;
      }
      cancelled = true;
    }
    if (!link.ask(this::cancelNow)) {
      cancelDone.complete(null);
    }
  }

  /** Tells the broker; then what was fetched and not handed out goes back. */
  private void cancelNow() {
    synchronized (subscribing) {
      suspendQuietly();
    }
    giveBackWaiting()
        .whenComplete((none, error) ->
            link.after(() -> cancelDone.complete(null), LATE_MILLIS, TimeUnit.MILLISECONDS));
  }

  @Override
  public final void close() {
    cancel();
    if (!closing.compareAndSet(false, true)) {
      return;
    }
    link.sources().forget(this);
    long end = System.nanoTime() + patienceWithCopies();
    try {
      cancelDone.get(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      // The broker takes the rest back with the channels, and counts it.
    }
    returning.await(end);
    synchronized (this) {
      closed = true;
    }
    synchronized (subscribing) {
      closeChannels();
    }
    for (Fetched each = next(); each != null; each = next()) {
      each.forget();
    }
  }

  private long patienceWithCopies() {
    Session session = link.connection().current();
    if (session == null) {
      return 0; // the broker has all of it again
    }
    return session.isBlocked() ? LAST_COPIES_BLOCKED : LAST_COPIES;
  }
}

package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.NobodyListensException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Publishes with confirms, on one thread and one channel, so that the messages of a sender keep
 * their order. What has no answer when the connection is lost is repeated on the next one, with the
 * same id; or fails at its time.
 *
 * <p>When the broker closes a channel for one message, nobody tells for which. So what was on it is
 * written again one by one, until the channel is closed for one that is alone there: that one
 * fails. What was behind it the broker has never taken.
 *
 * <pre>
 *  publish() --&gt; queue --one thread--&gt; unconfirmed (of a channel) --ack--&gt; done
 *                            ^                |
 *                          again &lt;--- channel or session lost
 * </pre>
 */
final class Publisher implements AutoCloseable {
  /** The part of {@code confirmTimeout} after which a silent connection is made again. */
  private static final int PATIENCE = 3;

  private static final long TICK_MILLIS = 50;
  private static final long LANE_MILLIS = 1;

  private final BrokerErrors errors;
  private final WriteGate gate;
  private final long sendTimeout;
  private final long confirmTimeout;
  private final AtomicLong published = new AtomicLong();
  private final Queue<Publication> queue = new ConcurrentLinkedQueue<>();

  /** Those that were taken from the queue and have to be written, again or yet. */
  private final PriorityBlockingQueue<Publication> again =
      new PriorityBlockingQueue<>(64, Comparator.comparingLong(each -> each.order));

  private final Object changed = new Object();
  private final Thread thread;
  private volatile @Nullable Session session;
  private volatile boolean idle;
  private volatile boolean closed;
  private long patience; // of the timer

  Publisher(BrokerErrors errors, WriteGate gate, Duration sendTimeout, Duration confirmTimeout) {
    this.errors = errors;
    this.gate = gate;
    this.sendTimeout = nanos(sendTimeout);
    this.confirmTimeout = nanos(confirmTimeout);
    this.patience = this.confirmTimeout / PATIENCE;
    this.thread = Threads.named("publish").newThread(this::run);
  }

  String where() {
    return errors.where();
  }

  static long nanos(Duration time) {
    return TimeUnit.NANOSECONDS.convert(time);
  }

  void start() {
    thread.start();
  }

  /** Sends it; its stage completes when the broker has confirmed it. */
  CompletableFuture<@Nullable Void> publish(Publication publication) {
    publication.order = published.incrementAndGet();
    queue.add(publication);
    wake();
    return publication.done;
  }

  private void wake() {
    if (closed) {
      failQueued();
    } else if (idle) {
      LockSupport.unpark(thread);
    }
  }

  /** Goes on with a new session. */
  void connected(Session opened) {
    synchronized (changed) {
      session = opened;
      changed.notifyAll();
    }
  }

  /** Takes back what has no answer. */
  void lost(Session ended, Throwable cause) {
    if (session == ended) {
      session = null;
    }
    for (Lane each : ended.lanes()) {
      each.unconfirmed().drain().forEach(one -> takeBack(one, cause));
    }
  }

  /** Takes back what has no answer on a channel that the broker has closed for one of them. */
  void lost(Lane closedLane, Throwable cause) {
    List<Publication> unconfirmed = closedLane.unconfirmed().drain();
    if (unconfirmed.size() == 1) {
      unconfirmed.get(0).foundAsCause();
      fail(unconfirmed.get(0), cause);
    } else {
      for (Publication each : unconfirmed) {
        each.refusedWith = closedLane.unconfirmed();
        takeBack(each, null);
      }
    }
  }

  private void fail(Publication publication, @Nullable Throwable cause) {
    publication.done.completeExceptionally(
        cause == null
            ? errors.away(publication.attempts > 0)
            : errors.of(cause, "publish to " + publication.address(), publication.attempts > 0));
  }

  private void run() {
    while (!closed) {
      Publication next = next();
      if (next == null) {
        awaitNext();
      } else {
        passOrFail(next);
      }
    }
    failQueued();
  }

  private @Nullable Publication next() {
    Publication older = again.poll();
    return older == null ? queue.poll() : older;
  }

  private void awaitNext() {
    idle = true;
    if (hasNone() && !closed) {
      LockSupport.parkNanos(this, TimeUnit.MILLISECONDS.toNanos(TICK_MILLIS));
    }
    idle = false;
    Thread.interrupted(); // closed, or a stray interrupt: the loop looks
  }

  private boolean hasNone() {
    return queue.isEmpty() && again.isEmpty();
  }

  /** What was taken is answered, or comes again. */
  private void passOrFail(Publication next) {
    try {
      pass(next);
    } catch (InterruptedException e) {
      again.add(next); // a closed publisher fails all that is there
    } catch (Throwable e) {
      Logs.warn("publish", "a publish to " + next.address() + " failed unexpectedly", e);
      next.done.completeExceptionally(e);
    }
  }

  /** Publishes one as soon as that is possible; fails it when its time is over. */
  private void pass(Publication next) throws InterruptedException {
    while (!closed) {
      gate.awaitOpen(TICK_MILLIS);
      Session on = session;
      if (next.isCopyOfLost()) {
        fail(next, null);
        return;
      }
      if (on != null && !on.isOver() && !on.isBlocked()) {
        Lane lane = on.lane(next.lane); // before the look for older ones, which then are back
        Publication older = again.peek();
        if (older != null && older.order < next.order) {
          again.add(next);
          return;
        }
        if (mayWrite(next, lane)) {
          write(next, on, lane);
          return;
        }
      }
      if (isOver(next, sendTimeout)) {
        failInTime(next, on);
        return;
      }
      expireQueued();
      awaitSession(on, on == null || on.isBlocked() ? TICK_MILLIS : LANE_MILLIS);
    }
    fail(next, null);
  }

  /** Those that were on a channel which the broker has closed are written one by one. */
  private boolean mayWrite(Publication next, Lane lane) {
    return lane.channel().isOpen()
        && !lane.unconfirmed().isStopped()
        && gate.isOpen()
        && (next.mayBeCause()
            ? lane.unconfirmed().isEmpty()
            : !lane.unconfirmed().mayHaveCause());
  }

  /** Waits for another session, or a tick: the broker may read again, or a send's time be over. */
  private void awaitSession(@Nullable Session not, long millis) throws InterruptedException {
    synchronized (changed) {
      Waiting.until(changed, millis, () -> session != not);
    }
  }

  private void write(Publication next, Session on, Lane lane) {
    Channel channel = lane.channel();
    Unconfirmed unconfirmed = lane.unconfirmed();
    try {
      next.check(on.sending.getFrameMax(), errors.where());
    } catch (MessageTooLargeException e) {
      next.done.completeExceptionally(e);
      return;
    }
    next.attempted();
    long number = channel.getNextPublishSeqNo();
    unconfirmed.add(number, next);
    boolean isWritten = true;
    try {
      channel.basicPublish(
          next.exchange, next.routingKey, next.mandatory, next.properties(), next.body);
    } catch (IOException | RuntimeException | Error e) { // without memory, a part may be written
      isWritten = !(e instanceof AlreadyClosedException);
      if (!BrokerErrors.isChannelError(e)) {
        on.fail(e);
      }
    }
    boolean isLost = on.isOver() || unconfirmed.isDrained();
    if (isLost && unconfirmed.remove(number)) { // after the others were taken back
      if (!isWritten) {
        next.notAttempted();
      }
      takeBack(next, null);
    }
  }

  /** Takes back what has no answer on a lane that is stopped. */
  void takeBack(Lane stopped) {
    stopped.unconfirmed().drain().forEach(each -> takeBack(each, null));
  }

  private void takeBack(Publication each, @Nullable Throwable cause) {
    if (each.isCopyOfLost() || each.isRequest() || closed) {
      fail(each, cause);
    } else {
      again.add(each);
      wake();
    }
  }

  private static boolean isOver(Publication publication, long limit) {
    return !publication.isCopy() && System.nanoTime() - publication.since > limit;
  }

  private void failInTime(Publication publication, @Nullable Session on) {
    publication.done.completeExceptionally(new BrokerAwayException(
        "no answer to a publish to " + publication.address() + " within sendTimeout: broker "
            + errors.where() + " " + why(on),
        null,
        publication.attempts > 0));
  }

  private String why(@Nullable Session on) {
    if (on == null || on.isOver()) {
      return "is away";
    }
    if (on.isBlocked()) {
      return "blocks publishers: " + on.blockedReason();
    }
    return gate.hasRoom() ? "has closed a channel" : "does not read what was sent before";
  }

  /** Fails what waits behind the first one for too long. */
  private void expireQueued() {
    Session on = session;
    List<Publication> late = new ArrayList<>();
    again.removeIf(each -> isOver(each, sendTimeout) && late.add(each));
    queue.removeIf(each -> isOver(each, sendTimeout) && late.add(each));
    late.forEach(each -> failInTime(each, on));
  }

  /**
   * A copy is waited for as long as the broker blocks publishers, since its original is held here
   * meanwhile; but not for a queue that never confirms.
   */
  private boolean isUnanswered(Publication each, Session on) {
    if (!each.isCopy()) {
      return isOver(each, on.isBlocked() ? sendTimeout : confirmTimeout);
    }
    return !on.isBlocked()
        && System.nanoTime() - Math.max(each.written, on.readsSince()) > confirmTimeout;
  }

  /**
   * Ends a session whose broker confirms nothing at all: RabbitMQ can forget what a channel has
   * published to a queue while that elects a leader, and then reads no more from the connection.
   * What is unconfirmed is repeated on the next one. If that is silent too, it has twice the time.
   */
  private void endIfSilent(Session on) {
    Unconfirmed published = on.lane(Lane.Kind.PUBLISHING).unconfirmed();
    if (published.hasAnswers()) {
      patience = confirmTimeout / PATIENCE;
    }
    long silent = Math.min(published.silentNanos(), System.nanoTime() - on.readsSince());
    if (!on.isBlocked() && silent > patience) {
      on.fail(new IOException("nothing was confirmed for "
          + Duration.ofNanos(patience).toMillis() + " ms (see confirmTimeout)"));
      patience = Math.min(2 * patience, confirmTimeout);
    }
  }

  /** Fails what was written and not answered in time; called by a timer. */
  void expireUnconfirmed() {
    Session on = session;
    if (on == null) {
      return;
    }
    endIfSilent(on);
    List<Publication> late = new ArrayList<>();
    for (Lane lane : on.lanes()) {
      late.addAll(lane.unconfirmed().takeIf(each -> isUnanswered(each, on)));
    }
    for (Publication each : late) {
      if (on.isBlocked()) {
        failInTime(each, on);
      } else {
        each.done.completeExceptionally(new BrokerAwayException(
            "broker " + errors.where() + " has not confirmed a publish to " + each.address()
                + " within confirmTimeout " + Duration.ofNanos(confirmTimeout),
            null,
            true));
      }
    }
  }

  /** Takes the broker's answer; called by the connection's thread. */
  static void answered(Publication publication, boolean accepted) {
    if (publication.returned && publication.isRequest()) {
      publication.done.completeExceptionally(new NobodyListensException(
          "nobody listens to " + publication.address() + " (broker " + publication.where + ")"));
    } else if (publication.returned) {
      publication.done.completeExceptionally(
          new MissingAddressException("queue " + publication.routingKey + " is not on broker "
              + publication.where + ": it was deleted"));
    } else if (accepted) {
      publication.done.complete(null);
    } else {
      publication.done.completeExceptionally(new RejectedPublishException(publication.address()));
    }
  }

  boolean isQuiet() {
    Session on = session;
    return hasNone()
        && idle // asked after the queues: nothing was taken from them
        && (on == null
            || on.lanes().stream().allMatch(each -> each.unconfirmed().isEmpty()));
  }

  private void failQueued() {
    for (Publication each = next(); each != null; each = next()) {
      fail(each, null);
    }
  }

  /** Ends the thread, and fails what is left. */
  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    failQueued();
    Session on = session;
    if (on != null) {
      on.lanes().forEach(lane -> lane.unconfirmed().drain().forEach(each -> fail(each, null)));
    }
  }
}

package dev.mullion.messaging;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Sink;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A running embedded engine, shared by each {@code Messaging} on it. Queues and their messages live
 * until it is closed; in a directory, longer.
 */
public final class EmbeddedBroker implements Engine, AutoCloseable {
  private static final long IDLE_CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

  private final String name;
  private final MessagingClock clock;
  private final SteadyTime ages;
  private final @Nullable Commits commits;
  private final Hub hub;
  private final QueueRegistry queues;
  private final Map<String, SubjectQueue> subjects = new ConcurrentHashMap<>();
  private final Map<String, SignalQueue> signals = new ConcurrentHashMap<>();
  private final Set<EmbeddedLink> links = ConcurrentHashMap.newKeySet();
  private final ThreadPoolExecutor background;
  private final AtomicBoolean closing = new AtomicBoolean();
  private volatile @Nullable BrokerAwayException ended;

  EmbeddedBroker(String name, MessagingClock clock, @Nullable Store store)
      throws MessagingException {
    this.name = name;
    this.clock = clock;
    this.ages = new SteadyTime(clock);
    this.commits = store == null ? null : new Commits(store, this::storeFailed);
    this.hub = new Hub(commits);
    this.queues = new QueueRegistry(this, hub, commits);
    this.background = new ThreadPoolExecutor(
        1, 1, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), EmbeddedBroker::thread);
    background.allowCoreThreadTimeOut(true);
    if (store != null) {
      queues.restore(store.load());
    }
  }

  private static Thread thread(Runnable work) {
    Thread thread = new Thread(null, work, "messaging-embedded", 0, false);
    thread.setDaemon(true);
    return thread;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public List<Guarantees> guarantees() {
    return commits == null ? EmbeddedGuarantees.IN_MEMORY : EmbeddedGuarantees.DURABLE;
  }

  @Override
  public MessagingClock clock() {
    return clock;
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    return open(context, false);
  }

  EngineLink open(EngineContext context, boolean owned) throws MessagingException {
    EmbeddedLink link = new EmbeddedLink(this, context, owned);
    links.add(link);
    BrokerAwayException gone = ended;
    if (gone != null) {
      links.remove(link);
      throw gone;
    }
    return link;
  }

  // ---- for links

  /** Returns the time by which dead letters age. */
  SteadyTime ages() {
    return ages;
  }

  Hub hub() {
    return hub;
  }

  QueueRegistry queues() {
    return queues;
  }

  Map<String, SubjectQueue> subjects() {
    return subjects;
  }

  Map<String, SignalQueue> signals() {
    return signals;
  }

  /** Returns the thread for what may read from disk or go on for long. */
  Executor background() {
    return background;
  }

  void runInBackground(Runnable task) {
    try {
      background.execute(task);
    } catch (RejectedExecutionException e) {
      if (ended == null) {
        throw e;
      } // what it would have done has no use any more
    }
  }

  /** Returns why nothing is accepted any more; null while it is open. */
  @Nullable
  BrokerAwayException ended() {
    return ended;
  }

  @Nullable
  StoreException storeFailure() {
    return commits == null ? null : commits.failure();
  }

  ReplierSource reply(EmbeddedLink link, Sink sink, String subject) {
    ReplierSource[] made = new ReplierSource[1];
    subjects.compute(subject, (key, known) -> {
      SubjectQueue queue = known == null ? new SubjectQueue(subject, clock) : known;
      made[0] = new ReplierSource(link, sink, queue);
      queue.add(made[0]);
      return queue;
    });
    return made[0];
  }

  LiveSource receive(EmbeddedLink link, Sink sink, String signal, ConsumerSettings settings) {
    LiveSource[] made = new LiveSource[1];
    signals.compute(signal, (key, known) -> {
      SignalQueue queue = known == null ? new SignalQueue() : known;
      made[0] = new LiveSource(link, sink, queue, signal, null, settings);
      queue.add(made[0]);
      return queue;
    });
    return made[0];
  }

  /** Forgets the subjects and signals that nobody uses any more. */
  void closed(EmbeddedSource source) {
    if (source instanceof ReplierSource replier) {
      subjects.computeIfPresent(
          replier.subject.name(), (key, queue) -> queue.isUnused() ? null : queue);
    } else if (source instanceof LiveSource live) {
      signals.computeIfPresent(live.topic(), (key, queue) -> queue.isUnused() ? null : queue);
    }
  }

  /** Fails what a link has waiting here. */
  void withdraw(EmbeddedLink link, Exception cause) {
    queues.all().forEach(queue -> queue.intake().withdraw(link, cause));
    liveSources().forEach(source -> source.withdraw(link, cause));
    subjects.values().forEach(subject -> subject.withdraw(link));
  }

  void awaitCommits(Duration timeout) {
    if (commits != null) {
      commits.await(TimeUnit.NANOSECONDS.convert(timeout));
    }
  }

  void closed(EmbeddedLink link) {
    links.remove(link);
  }

  private List<LiveSource> liveSources() {
    List<LiveSource> live = new ArrayList<>();
    for (EmbeddedLink link : links) {
      for (EmbeddedSource source : link.sources()) {
        if (source instanceof LiveSource subscriber) {
          live.add(subscriber);
        }
      }
    }
    return live;
  }

  /** Ends all workers: what they do could not be recorded. */
  private void storeFailed(StoreException failure) {
    LimitedLog.warn("store", "the store failed; nothing durable is accepted any more", failure);
    runInBackground(() -> {
      for (EmbeddedLink link : links) {
        for (EmbeddedSource source : link.sources()) {
          if (source instanceof WorkerSource) {
            source.fail(failure);
          }
        }
      }
    });
  }

  /**
   * Waits until no message waits for a consumer that is there, and none is being handled: what
   * waits for its delay, or for a consumer that is not there, does not count. For tests.
   *
   * @throws TimeoutException with what is left, if that takes longer
   */
  public void awaitIdle(Duration timeout) throws InterruptedException, TimeoutException {
    long end = System.nanoTime() + TimeUnit.NANOSECONDS.convert(timeout);
    for (String left = left(); !left.isEmpty(); left = left()) {
      if (System.nanoTime() - end >= 0) {
        throw new TimeoutException("not idle within " + timeout + ": " + left);
      }
      if (Thread.interrupted()) {
        throw new InterruptedException();
      }
      LockSupport.parkNanos(IDLE_CHECK_NANOS);
    }
  }

  /** Returns what there is to do; empty if there is nothing. */
  private String left() {
    long before = accepted();
    List<String> left = new ArrayList<>();
    for (JobQueue queue : queues.all()) {
      left.add(queue.busy());
    }
    for (LiveSource source : liveSources()) {
      left.add(source.isBusy() ? "subscriber of " + source.topic() : "");
    }
    for (SubjectQueue subject : subjects.values()) {
      left.add(subject.isBusy() ? "subject " + subject.name() : "");
    }
    left.add(commits == null || commits.isIdle() ? "" : "changes on their way to the disk");
    left.removeIf(String::isEmpty);
    // a handler may have sent to what was looked at before it
    return left.isEmpty() && before != accepted() ? "messages under way" : String.join(", ", left);
  }

  private long accepted() {
    long accepted = 0;
    for (JobQueue queue : queues.all()) {
      accepted += queue.accepted();
    }
    for (LiveSource source : liveSources()) {
      accepted += source.accepted();
    }
    for (SubjectQueue subject : subjects.values()) {
      accepted += subject.accepted();
    }
    return accepted;
  }

  /** Stops: what is accepted is on disk, in a directory; links that are open fail from then on. */
  @Override
  public void close() {
    BrokerAwayException cause = new BrokerAwayException("embedded broker is closed", null, false);
    if (!closing.compareAndSet(false, true)) {
      return;
    }
    ended = cause;
    try {
      for (EmbeddedLink link : links) {
        link.sources().forEach(source -> source.fail(cause)); // the last replier ends what waits
      }
      links.forEach(link -> withdraw(link, cause));
      queues.close(cause);
    } finally {
      background.shutdown();
      if (commits != null) {
        commits.close();
      }
    }
  }
}

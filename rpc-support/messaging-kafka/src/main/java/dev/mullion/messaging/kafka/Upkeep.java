package dev.mullion.messaging.kafka;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * What a link does for its subscriptions from time to time, on a thread of its own: it looks
 * whether their topics are still there and makes them again, looks for messages that may have
 * killed workers of others, and at longer intervals deletes what is settled.
 */
final class Upkeep implements Runnable {
  private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(20);
  private static final int PAUSE_TIMES = 5; // as long as what was done before it
  private static final int TRIM_EVERY = 30;
  private static final long TELL_AGAIN_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final KafkaLink link;
  private final Queues queues;
  private final Names names;
  private final Trimmer trimmer;
  private final Thread thread;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Map<String, Long> lags = new ConcurrentHashMap<>(); // of this turn

  // Of the thread.
  private final Map<Route, Long> told = new HashMap<>(); // when a failure was logged
  private final Set<Route> undeclared = new HashSet<>(); // since the declarations were lost
  private @Nullable Uuid declarations; // the id of their topic
  private boolean made; // topics, in this turn

  Upkeep(KafkaLink link, Queues queues) {
    this.link = link;
    this.queues = queues;
    this.names = link.names();
    this.trimmer = new Trimmer(link);
    this.thread = new Thread(this, "mullion-kafka-upkeep");
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  @Override
  public void run() {
    long pause = PAUSE_NANOS;
    try {
      for (int turn = 1; !closed.await(pause, TimeUnit.NANOSECONDS); turn++) {
        long begun = System.nanoTime();
        made = false;
        turnSafely(turn % TRIM_EVERY == 0);
        pause = pauseAfter(System.nanoTime() - begun, made);
      }
    } catch (InterruptedException e) {
      // It is closed.
    }
  }

  /** Returns the pause after a turn. The next one learns the ids of topics that were made. */
  static long pauseAfter(long tookNanos, boolean made) {
    long wanted = made ? 0 : PAUSE_TIMES * tookNanos;
    return Math.min(LONGEST_PAUSE_NANOS, Math.max(PAUSE_NANOS, wanted));
  }

  /** Ends, without waiting for what is under way. */
  void close() {
    closed.countDown();
    thread.interrupt();
  }

  private void turnSafely(boolean trim) {
    try {
      if (link.health().up()) {
        turn(trim);
      }
    } catch (Throwable e) { // the next turn may do better
      link.failing("the upkeep of subscriptions", e);
    }
  }

  private void turn(boolean trim) {
    Set<Route> routes = new HashSet<>(link.sources().values());
    told.keySet().retainAll(routes);
    undeclared.retainAll(routes);
    lags.clear();
    try {
      lookForTopics(routes);
    } catch (MessagingException e) {
      link.failing("the topics of subscriptions", e);
    }
    for (Source each : link.sources().keySet()) {
      if (each instanceof Upkept source) {
        source.lookAround();
      }
    }
    for (Route each : routes) {
      if (trim && each instanceof Route.Queue queue) {
        trim(queue);
      }
    }
  }

  private void trim(Route.Queue queue) {
    try {
      trimmer.trim(queue);
    } catch (MessagingException e) {
      tell(queue, e);
    }
  }

  /** Logs a failure, if the last one of that route was not just before. */
  private void tell(Route route, MessagingException error) {
    long now = System.nanoTime();
    Long before = told.get(route);
    if (closed.getCount() > 0
        && (before == null || now - before > TELL_AGAIN_NANOS)
        && Logs.warn("topics", "the topics of " + route.name() + ": " + error, null)) {
      told.put(route, now);
    }
  }

  /** Looks for the topics, and makes again those that are missing. */
  private void lookForTopics(Set<Route> routes) throws MessagingException {
    if (declarations == null) {
      declarations = link.known().id(names.declarations());
    }
    long asked = System.nanoTime();
    Set<String> needed = new HashSet<>(link.liveTopics());
    routes.forEach(each -> needed.addAll(names.needed(each)));
    Map<String, MessagingException> failures = new HashMap<>();
    Set<String> existing = link.topology()
        .existing(needed, "the topics of subscriptions", (topic, failure) -> {
          if (failure instanceof BrokerAwayException) {
            throw failure;
          }
          failures.put(topic, failure);
        })
        .keySet();
    link.known().retain(needed, asked);
    if (needed.contains(names.declarations())) {
      lookForDeclarations(routes, existing, failures);
    }
    makeAgain(routes, existing, failures);
  }

  /** If the topic of declarations is another one, all queues are to be declared again. */
  private void lookForDeclarations(
      Set<Route> routes, Set<String> existing, Map<String, MessagingException> failures) {
    String topic = names.declarations();
    if (existing.contains(topic)) {
      if (link.known().isAnother(topic, declarations)) {
        routes.stream().filter(Route.Queue.class::isInstance).forEach(undeclared::add);
      }
      declarations = link.known().id(topic);
    } else if (!failures.containsKey(topic)) { // the next turn finds its id, if it is another one
      try {
        queues.makeDeclarationsAgain();
        made = true;
      } catch (MessagingException e) {
        failures.put(topic, e);
      }
    }
  }

  /** What needs a topic that the broker tells nothing of is left alone. */
  private void makeAgain(
      Set<Route> routes, Set<String> existing, Map<String, MessagingException> failures) {
    for (Route each : routes) {
      Set<String> topics = names.needed(each);
      Optional<MessagingException> failure =
          topics.stream().map(failures::get).filter(Objects::nonNull).findFirst();
      if (failure.isPresent()) {
        tell(each, failure.get());
      } else if (undeclared.contains(each) || !existing.containsAll(topics)) {
        makeAgain(each);
      } else {
        told.remove(each);
      }
    }
  }

  private void makeAgain(Route route) {
    try {
      if (route instanceof Route.Queue queue) {
        made |= queues.makeAgain(queue, undeclared.contains(queue));
      } else {
        link.addresses().makeAgain(route);
        made = true;
      }
      undeclared.remove(route);
    } catch (ConflictingDeclarationException e) { // others have declared it otherwise
      undeclared.remove(route);
      tell(route, e);
    } catch (MessagingException e) {
      tell(route, e);
    }
  }

  /** Returns how many messages a share group has not settled; 0 if that cannot be known. Blocks. */
  long lag(String group) {
    Long known = lags.get(group);
    if (known == null) {
      known = askLag(group);
      lags.put(group, known);
    }
    return known;
  }

  private long askLag(String group) {
    try {
      TopicPartition partition = new TopicPartition(group, 0);
      Long end = link.topology().ends(List.of(partition), group).get(partition);
      if (end == null || end == 0) {
        return 0;
      }
      return ShareGroups.lag(
          link.topology().await(ShareGroups.place(link.admin(), group), group), end);
    } catch (MissingAddressException e) { // the group, as yet
      return 0;
    } catch (MessagingException e) {
      link.failing(group, e);
      return 0;
    }
  }
}

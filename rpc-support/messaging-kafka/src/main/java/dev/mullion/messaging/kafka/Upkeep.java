package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * What a link does for its subscriptions from time to time: it looks whether their topics are still
 * there and makes them again, looks for messages that may have killed workers of others, and at
 * longer intervals deletes what is settled.
 */
final class Upkeep {
  private static final long EVERY_MILLIS = 2000;
  private static final int TRIM_EVERY = 30;
  private static final long TELL_AGAIN_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final KafkaLink link;
  private final Names names;
  private final Trimmer trimmer;

  // Of the one task that runs at a time.
  private final Map<Route, Long> told = new HashMap<>(); // when a failure was logged
  private @Nullable Uuid declarations; // the id of their topic

  Upkeep(KafkaLink link) {
    this.link = link;
    this.names = link.names();
    this.trimmer = new Trimmer(link);
  }

  void start() {
    later(0);
  }

  private void later(int round) {
    link.later(
        EVERY_MILLIS,
        () -> link.background(() -> {
              if (link.health().up()) {
                turn(round % TRIM_EVERY == TRIM_EVERY - 1);
              }
              return true;
            })
            .whenComplete((done, error) -> {
              if (error != null) {
                link.failing("the upkeep of subscriptions", error);
              }
              later(round + 1);
            }));
  }

  private void turn(boolean trim) {
    Set<Route> routes = new HashSet<>(link.sources().values());
    told.keySet().retainAll(routes);
    try {
      lookForTopics(routes);
    } catch (MessagingException e) {
      routes.stream().findAny().ifPresent(any -> tell(any, e));
    }
    for (Source each : link.sources().keySet()) {
      if (each instanceof Upkept source) {
        source.lookAround();
      }
      if (trim && each instanceof JobSource source) {
        trim(source.queue());
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
    if ((before == null || now - before > TELL_AGAIN_NANOS)
        && Logs.warn("topics", "the topics of " + route.name() + ": " + error, null)) {
      told.put(route, now);
    }
  }

  private void lookForTopics(Set<Route> routes) throws MessagingException {
    Set<String> needed = new HashSet<>(link.liveTopics());
    routes.forEach(each -> needed.addAll(names.needed(each)));
    if (routes.stream().anyMatch(Route.Queue.class::isInstance)) {
      needed.add(names.declarations());
    }
    if (!needed.isEmpty()) {
      Set<String> existing =
          link.topology().existing(needed, "the topics of subscriptions").keySet();
      link.known().retain(needed);
      makeAgain(routes, existing);
    }
  }

  private void makeAgain(Set<Route> routes, Set<String> existing) {
    String topic = names.declarations();
    boolean lost = !existing.contains(topic) || link.known().isAnother(topic, declarations);
    Uuid now = link.known().id(topic);
    boolean done = true;
    for (Route each : routes) {
      boolean declare = lost && each instanceof Route.Queue;
      if (!declare && existing.containsAll(names.needed(each))) {
        told.remove(each);
      } else {
        done &= isMadeAgain(each, declare);
      }
    }
    if (done) {
      declarations = now;
    }
  }

  private boolean isMadeAgain(Route route, boolean declare) {
    try {
      link.makeAgain(route, declare);
      return true;
    } catch (MessagingException e) {
      tell(route, e);
      return false;
    }
  }

  /** Returns how many messages a share group has not settled; 0 if that cannot be known. Blocks. */
  long lag(String group) {
    try {
      TopicPartition partition = new TopicPartition(group, 0);
      Long end = link.topology().ends(List.of(partition), group).get(partition);
      if (end == null || end == 0) {
        return 0;
      }
      SharePartitionOffsetInfo info = link.topology()
          .await(
              link.admin()
                  .listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()))
                  .partitionsToOffsetInfo(group),
              group)
          .get(partition);
      return info == null ? end : info.lag().orElse(Math.max(0, end - info.startOffset()));
    } catch (MessagingException e) {
      return 0;
    }
  }
}

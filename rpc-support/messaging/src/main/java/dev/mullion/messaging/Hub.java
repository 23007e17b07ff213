package dev.mullion.messaging;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The topics: who gets what is published. The live subscribers of a topic or pattern share a lane.
 * For each topic that was published to, the targets are kept ready until a lane or group comes or
 * goes that may match it.
 */
final class Hub implements LiveOwner {
  private static final int MOST_READY = 4096;

  private final @Nullable Commits commits;
  private final Object lock = new Object();
  private final Map<String, LiveLane> lanes = new HashMap<>(); // by topic or pattern
  private final TopicTree<LiveLane> lanesByWords = new TopicTree<>();
  private final TopicTree<JobQueue> groups = new TopicTree<>();
  private final Map<String, Targets> ready = new ConcurrentHashMap<>();

  Hub(@Nullable Commits commits) {
    this.commits = commits;
  }

  LiveSource subscribe(EmbeddedLink link, Sink sink, String topic, ConsumerSettings settings) {
    synchronized (lock) {
      LiveLane known = lanes.get(topic);
      LiveLane lane = known == null ? new LiveLane() : known;
      LiveSource source = new LiveSource(link, sink, this, topic, lane, settings);
      source.join();
      if (known == null) {
        lanes.put(topic, lane);
        lanesByWords.add(topic, lane);
        forget(topic);
      }
      return source;
    }
  }

  @Override
  public void removed(LiveSource source) {
    String topic = source.topic();
    synchronized (lock) {
      LiveLane lane = lanes.get(topic);
      if (lane != null && lane.isUnused()) {
        lanes.remove(topic);
        lanesByWords.remove(topic, lane);
        forget(topic);
      }
    }
  }

  /** Feeds a group from now on with what is published to its topic or pattern. */
  void add(JobQueue group, String topic) {
    synchronized (lock) {
      groups.add(topic, group);
      forget(topic);
    }
  }

  void remove(JobQueue group, String topic) {
    synchronized (lock) {
      groups.remove(topic, group);
      forget(topic);
    }
  }

  /** Feeds a group from another topic or pattern; it misses nothing, and gets nothing twice. */
  void move(JobQueue group, String before, String after) {
    synchronized (lock) {
      groups.remove(before, group);
      groups.add(after, group);
      ready.clear();
    }
  }

  private void forget(String topic) {
    if (new Route.Topic(topic).isPattern()) {
      ready.clear();
    } else {
      ready.remove(topic);
    }
  }

  private Targets targets(String topic) {
    Targets known = ready.get(topic);
    if (known != null) {
      return known;
    }
    synchronized (lock) {
      Targets found = new Targets(
          lanesByWords.match(topic).toArray(LiveLane[]::new),
          groups.match(topic).toArray(JobQueue[]::new));
      if (ready.size() >= MOST_READY) {
        ready.clear();
      }
      ready.put(topic, found);
      return found;
    }
  }

  /** Publishes if no store has to answer; else returns null. */
  @Nullable
  CompletionStage<Void> publishNow(String topic, Message<byte[]> message, EmbeddedLink link) {
    return commits != null && targets(topic).groups.length > 0
        ? null
        : publish(topic, message, link);
  }

  /** Publishes to the subscribers and groups of a topic. */
  CompletionStage<Void> publish(String topic, Message<byte[]> message, EmbeddedLink link) {
    Targets targets = targets(topic);
    CompletionStage<Void> all =
        targets.groups.length == 0 ? Parcel.DONE : feed(targets.groups, topic, message, link);
    if (targets.lanes.length == 0) {
      return all;
    }
    LiveMessage shared = new LiveMessage(message, topic, Times.expiry(message, link.clock()));
    for (LiveLane lane : targets.lanes) {
      all = Stages.both(all, lane.publish(shared, link));
    }
    return all;
  }

  /** Feeds the groups, in a store by one change for all of them. */
  private CompletionStage<Void> feed(
      JobQueue[] targets, String topic, Message<byte[]> message, EmbeddedLink link) {
    List<Store.Step> steps = new ArrayList<>();
    List<QueuedJob> jobs = new ArrayList<>();
    for (JobQueue group : targets) {
      QueuedJob job = group.feed(message, topic, link);
      JobStorage storage = group.storage();
      if (job != null && storage != null) {
        jobs.add(job);
        steps.add(storage.add(job));
      }
    }
    if (commits == null || jobs.isEmpty()) {
      return Parcel.DONE;
    }
    return commits.apply(
        steps, error -> jobs.forEach(job -> job.queue().committed(job, error == null)));
  }

  @Override
  public void returned(LiveDelivery message) {} // at most once

  @Override
  public boolean passesOn() {
    return false;
  }

  /** Who gets what is published to one topic. */
  private static final class Targets {
    private final LiveLane[] lanes;
    private final JobQueue[] groups;

    Targets(LiveLane[] lanes, JobQueue[] groups) {
      this.lanes = lanes;
      this.groups = groups;
    }
  }
}

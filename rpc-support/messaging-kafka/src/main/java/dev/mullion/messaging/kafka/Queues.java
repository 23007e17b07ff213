package dev.mullion.messaging.kafka;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.NewTopic;
import org.jspecify.annotations.Nullable;

/** Declares queues and groups, and tells their state. */
final class Queues {
  private final KafkaLink link;
  private final Names names;
  private final Map<String, Route.Queue> prepared = new ConcurrentHashMap<>();
  private volatile boolean declarationsExist;

  Queues(KafkaLink link) {
    this.link = link;
    this.names = link.names();
  }

  void prepare(Route.Queue queue, Declaration declaration) throws MessagingException {
    check(queue);
    String what = "the declaration of " + queue.id();
    ensureDeclarations(what);
    Route.Queue replaced = declaration == Declaration.REPLACE ? known(queue) : null;
    if (replaced != null) {
      checkOrder(queue, replaced);
    }
    boolean declaredHere = declared(() -> link.declarations().declare(queue, declaration));
    if (declaredHere || !queue.equals(prepared.get(queue.id()))) {
      ensure(queue, declaredHere, what);
      prepared.put(queue.id(), queue);
    }
    if (replaced != null && !replaced.deadLetterAge().equals(queue.deadLetterAge())) {
      link.topology().keepFor(names.dead(queue), queue.deadLetterAge(), what);
    }
  }

  private Route.@Nullable Queue known(Route.Queue queue) throws MessagingException {
    return declared(() -> Optional.ofNullable(link.declarations().find(queue.id())))
        .orElse(null);
  }

  /** Asks the declarations. */
  private <T> T declared(Topology.Asked<T> asked) throws MessagingException {
    try {
      return asked.ask();
    } catch (BrokerAwayException | MissingAddressException e) { // both, if the topic is gone
      declarationsExist = false;
      throw e;
    }
  }

  /** Returns what a push is for; one that misses a topic lets the next one create it. */
  Sender.Purpose push(Route.Queue queue) {
    return new Sender.Purpose() {
      @Override
      public String text() {
        return "a push to queue " + queue.name();
      }

      @Override
      public void missing() {
        prepared.remove(queue.id());
      }
    };
  }

  private void check(Route.Queue queue) throws UnsupportedSettingException {
    Names.checkDelays(queue);
    names.checkLength(queue);
    if (queue.capacity() > 0 || queue.capacityBytes() > 0) {
      throw new UnsupportedSettingException("capacity: " + queue.capacity() + ", capacityBytes: "
          + queue.capacityBytes() + " (expected: 0, since Kafka bounds no topic; queue "
          + queue.id() + ", engine kafka, see Guarantees.capacity)");
    }
  }

  /** An ordered queue has other consumers, which do not know what the former have settled. */
  private static void checkOrder(Route.Queue queue, Route.Queue known)
      throws UnsupportedSettingException {
    if (known.ordered() != queue.ordered()) {
      throw new UnsupportedSettingException("ordered: " + queue.ordered() + " (expected: "
          + known.ordered() + ", as declared, until queue " + queue.id()
          + " is deleted; engine kafka)");
    }
  }

  private void ensureDeclarations(String what) throws MessagingException {
    if (!declarationsExist) {
      Topology topology = link.topology();
      Set<String> created =
          topology.ensure(List.of(topology.compacted(names.declarations())), what);
      if (!created.isEmpty()) {
        link.declarations().forget();
      }
      declarationsExist = true;
    }
  }

  /** Makes the topic of declarations again, if it really is missing. */
  void makeDeclarationsAgain() throws MessagingException {
    declarationsExist = false;
    ensureDeclarations("the declarations of queues");
  }

  /** Creates what is missing; someone may have declared the queue and then died. */
  private void ensure(Route.Queue queue, boolean declaredHere, String what)
      throws MessagingException {
    ensureTopics(queue, what);
    if (queue.source().isPresent()) {
      Feeds feeds = new Feeds(link.topology(), link.admin());
      String group = names.feeders(queue);
      String topic = names.topic(queue.source().get());
      if (declaredHere) {
        feeds.start(group, topic, what);
      } else if (!feeds.isFed(group, what)) {
        feeds.startAgain(group, topic, link.declarations().since(queue.id()), what);
      }
    }
  }

  private void ensureTopics(Route.Queue queue, String what) throws MessagingException {
    Topology topology = link.topology();
    List<NewTopic> topics = new ArrayList<>();
    if (queue.ordered()) {
      topics.add(topology.ordered(names.queue(queue)));
    } else {
      names.shareGroups(queue).forEach(each -> topics.add(topology.kept(each)));
      topics.add(topology.givenUp(names.givenUp()));
    }
    topics.add(topology.dead(names.dead(queue), queue.deadLetterAge()));
    names.retries(queue).forEach(each -> topics.add(topology.kept(each)));
    queue.source().ifPresent(source -> topics.add(topology.published(names.topic(source))));
    Set<String> created = topology.ensure(topics, what);
    for (String group : names.shareGroups(queue)) {
      topology.shareGroup(group, created.contains(group), names.givenUp(), what);
    }
  }

  /**
   * Makes topics again that somebody has deleted, but not those of a queue that was deleted as
   * such. A group keeps its place in its topic: its feeders run, and know it. Returns false if the
   * queue is not declared.
   *
   * @param declare whether the declarations were deleted too
   */
  boolean makeAgain(Route.Queue queue, boolean declare) throws MessagingException {
    String what = "the topics of " + queue.id();
    ensureDeclarations(what);
    boolean declared = declared(() -> {
      if (declare) {
        link.declarations().declare(queue, Declaration.CHECK);
      }
      return link.declarations().find(queue.id()) != null;
    });
    if (declared) {
      ensureTopics(queue, what);
    }
    return declared;
  }

  void delete(Route.Queue queue) throws MessagingException {
    ensureDeclarations("the deletion of " + queue.id());
    Route.Queue known = declared(() -> {
      Route.Queue found = link.declarations().find(queue.id());
      prepared.remove(queue.id());
      link.declarations().delete(queue.id());
      return found == null ? queue : found;
    });
    link.topology().delete(known, names);
  }

  List<QueueStatus> all() throws MessagingException {
    ensureDeclarations("the list of queues");
    List<Route.Queue> queues = declared(() -> link.declarations().all());
    return new QueueStates(link, queues).all();
  }
}

package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Publish-subscribe, with live subscribers and groups: cases 4 to 11, 17, 19 and 20. */
public abstract class PublishSubscribeSuite extends EngineSuite {

  /** Creates the suite. */
  protected PublishSubscribeSuite() {}

  @Test
  @DisplayName("4. each of three subscribers gets each message once")
  void broadcast() throws Exception {
    Messaging one = messaging();
    Messaging two = messaging();
    Topic<String> topic = topic();
    List<Received<String>> all = List.of(received(), received(), received());
    ready(one.subscribe(topic, all.get(0)));
    ready(one.subscribe(topic, all.get(1)));
    ready(two.subscribe(topic, all.get(2)));
    List<String> sent = numbered("", profile().scaled(500));
    publishAll(one, topic, sent);
    awaitExactly(all, sent);
  }

  /** Waits until each has exactly these. */
  private static void awaitExactly(List<Received<String>> all, List<String> sent) {
    all.forEach(each -> each.awaitAll(sent));
    all.get(0).awaitQuiet();
    all.forEach(each -> each.checkExactly(sent));
  }

  @Test
  @DisplayName("5. the members of a group share its messages: their union is exact")
  void groupShares() throws Exception {
    Messaging one = messaging();
    Messaging two = messaging();
    Topic<String> topic = topic();
    WorkQueue<String> group = topic.group("group");
    Received<String> union = received();
    ready(one.pull(group, union));
    ready(one.pull(group, union));
    ready(two.pull(group, union));
    List<String> sent = numbered("", profile().scaled(600));
    publishAll(two, topic, sent);
    union.awaitExactly(sent);
  }

  @Test
  @DisplayName("6. two groups and two live subscribers each get everything")
  void groupsAndSubscribers() throws Exception {
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    List<Received<String>> all = List.of(received(), received(), received(), received());
    ready(messaging.pull(topic.group("first"), all.get(0)));
    ready(messaging.pull(topic.group("second"), all.get(1)));
    ready(messaging.subscribe(topic, all.get(2)));
    ready(messaging.subscribe(topic, all.get(3)));
    List<String> sent = numbered("", profile().scaled(500));
    publishAll(messaging, topic, sent);
    awaitExactly(all, sent);
  }

  @Test
  @DisplayName("7. a group gets what is published after its declaration, even without a member")
  void declaredGroup() throws Exception {
    Topic<String> topic = topic();
    WorkQueue<String> group = topic.group("group");
    Messaging publisher = messaging();
    publishAll(publisher, topic, numbered("old", 20));
    publisher.declare(group);
    List<String> sent = numbered("", profile().scaled(100));
    publishAll(publisher, topic, sent);
    Received<String> received = received();
    ready(messaging().pull(group, received));
    received.awaitExactly(sent);
  }

  @Test
  @DisplayName("8. a new live subscriber gets nothing that was published before")
  void noOldMessages() throws Exception {
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    publishAll(messaging, topic, numbered("old", 20));
    Received<String> received = received();
    ready(messaging.subscribe(topic, received));
    List<String> sent = numbered("new", 20);
    publishAll(messaging, topic, sent);
    received.awaitExactly(sent);
  }

  @Test
  @DisplayName("9. nothing is missed after ready(): subscribe and publish at once, 1,000 times")
  void readyMeansReady() throws Exception {
    Messaging messaging = messaging();
    Messaging publisher = messaging();
    Topic<String> base = topic();
    for (int i = 0; i < profile().scaled(1000); i++) {
      Topic<String> topic = base.named(base.name() + "." + i);
      Received<String> received = received();
      try (Subscription subscription = ready(messaging.subscribe(topic, received))) {
        get((i % 2 == 0 ? messaging : publisher).publish(topic, "message " + i));
        received.awaitAll(List.of("message " + i));
        assertEquals(topic.name(), subscription.address());
      }
    }
  }

  @Test
  @DisplayName("10. 20 topics with 100 messages each, published side by side")
  void manyTopics() throws Exception {
    Messaging messaging = messaging();
    List<Topic<String>> topics = new ArrayList<>();
    List<Received<String>> received = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      topics.add(topic());
      received.add(received());
      ready(messaging.subscribe(topics.get(i), received.get(i)));
    }
    int each = profile().scaled(100);
    for (int n = 0; n < each; n++) {
      for (Topic<String> topic : topics) {
        messaging.publish(topic, topic.name() + " " + n);
      }
    }
    for (int i = 0; i < 20; i++) {
      received.get(i).awaitAll(numbered(topics.get(i).name() + " ", each));
    }
    received.get(0).awaitQuiet();
    for (int i = 0; i < 20; i++) {
      received.get(i).checkExactly(numbered(topics.get(i).name() + " ", each));
    }
  }

  @Test
  @DisplayName("11. topics do not mix, nor do a topic, a queue, a subject and a signal of one name")
  void isolation() throws Exception {
    Messaging messaging = messaging();
    String name = fresh("same");
    Topic<String> topic = Topic.of(name, Codecs.utf8());
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    Subject<String, String> subject = Subject.of(name, Codecs.utf8(), Codecs.utf8());
    Signal<String> signal = Signal.of(name, Codecs.utf8());
    Topic<String> other = topic.named(name + ".other");
    List<Received<String>> all =
        List.of(received(), received(), received(), received(), received());
    ready(messaging.subscribe(topic, all.get(0)));
    ready(messaging.pull(queue, all.get(1)));
    ready(messaging.receive(signal, all.get(2)));
    ready(messaging.subscribe(other, all.get(3)));
    ready(messaging.reply(subject, request -> {
      all.get(4).add(request);
      return request.payload();
    }));
    get(messaging.publish(topic, "topic"));
    get(messaging.push(queue, "queue"));
    messaging.send(signal, "signal");
    get(messaging.publish(other, "other"));
    get(messaging.request(subject, "subject", profile().delivery()));
    List<String> sent = List.of("topic", "queue", "signal", "other", "subject");
    for (int i = 0; i < sent.size(); i++) {
      all.get(i).awaitAll(List.of(sent.get(i)));
    }
    all.get(0).awaitQuiet();
    for (int i = 0; i < sent.size(); i++) {
      all.get(i).checkExactly(List.of(sent.get(i)));
    }
  }

  @Test
  @DisplayName("17. 50 subscribers get 5,000 messages each")
  void manySubscribers() throws Exception {
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    List<Received<String>> all = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      all.add(received());
      ready(messaging.subscribe(topic, all.get(i)));
    }
    List<String> sent = numbered("", profile().scaled(5000));
    publishAll(messaging, topic, sent);
    awaitExactly(all, sent);
  }

  @EachHandlerKind
  @DisplayName(
      "19. a failed message comes again to a group, not to a live subscriber; it is counted")
  void failingHandler(HandlerKind kind) throws Exception {
    ConcurrentLinkedQueue<String> told = new ConcurrentLinkedQueue<>();
    MessagingListener listener = new MessagingListener() {
      @Override
      public void handlerFailed(Delivery<?> delivery, Throwable error) {
        told.add(delivery.address() + " " + delivery.payload() + ": " + error.getMessage());
      }
    };
    Messaging messaging = messaging(builder -> builder.listener(listener));
    Topic<String> topic = topic();
    WorkQueue<String> group =
        topic.groupBuilder("group").redelivery(Redelivery.immediate(5)).build();
    Received<String> live = received();
    Received<String> grouped = received();
    Subscription subscription =
        ready(kind.start(messaging.subscriber(topic), failing(live, "live failure")));
    Subscription worker = ready(kind.start(messaging.worker(group), delivery -> {
      grouped.add(delivery);
      if (delivery.deliveryCount() < 3) {
        throw new IllegalStateException("group failure");
      }
    }));
    get(messaging.publish(topic, "message"));
    await(
        "acknowledged by the group",
        () -> worker.counters().acknowledged() >= 1,
        () -> worker.counters() + ", " + grouped);
    live.awaitExactly(List.of("message"));
    assertEquals(
        List.of(1, 2, 3),
        grouped.entries().stream().map(Received.Entry::count).distinct().toList());
    await(
        "failures in the counters",
        () -> subscription.counters().failed() >= 1 && worker.counters().failed() >= 2,
        () -> subscription.counters() + ", " + worker.counters());
    await("three calls of the listener", () -> told.size() >= 3, () -> told);
    assertTrue(told.contains(topic.name() + " message: live failure"), told.toString());
  }

  @Test
  @DisplayName("20. publish without any subscriber completes, and nothing counts as dropped")
  void noSubscriber() throws Exception {
    Messaging messaging = messaging();
    publishAll(messaging, topic(), numbered("", 100));
    assertEquals(100, messaging.counters().accepted());
    assertEquals(0, messaging.counters().dropped());
    assertEquals(0, messaging.counters().failed());
  }
}

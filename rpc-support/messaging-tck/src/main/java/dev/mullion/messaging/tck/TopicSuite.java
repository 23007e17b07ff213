package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Guarantees.Order;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Guarantees.Wildcards;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.WorkQueue;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Wildcards, names and order of topics: cases 12 to 16. */
public abstract class TopicSuite extends EngineSuite {

  /** Creates the suite. */
  protected TopicSuite() {}

  @Test
  @DisplayName("12. nine patterns and eight names match as in RabbitMQ; # matches no word too")
  void wildcards() throws Exception {
    String p = fresh("p");
    String q = fresh("q");
    List<String> names =
        List.of(p, p + ".a", p + ".b", p + ".a.b", p + ".a.c", p + ".a.b.c", q + ".a", q + ".a.b");
    Map<String, List<Integer>> matches = new LinkedHashMap<>();
    matches.put(p + ".#", List.of(0, 1, 2, 3, 4, 5));
    matches.put(p + ".*", List.of(1, 2));
    matches.put(p + ".a.#", List.of(1, 3, 4, 5));
    matches.put(p + ".*.b", List.of(3));
    matches.put(p + ".*.*.#", List.of(3, 4, 5));
    matches.put("#", List.of(0, 1, 2, 3, 4, 5, 6, 7));
    matches.put("*", List.of(0));
    matches.put("*.a", List.of(1, 6));
    matches.put("*.a.#", List.of(1, 3, 4, 5, 6, 7));
    Messaging messaging = messaging();
    Map<String, Received<String>> live = new LinkedHashMap<>();
    Map<String, Received<String>> groups = new LinkedHashMap<>();
    for (String pattern : matches.keySet()) {
      Topic<String> topic = Topic.of(pattern, Codecs.utf8());
      Received<String> received = received();
      Received<String> grouped = received();
      if (!allowed(pattern)) {
        assertRefused(messaging, topic);
        continue;
      }
      // A pattern that begins with a wildcard sees other tests' topics on a shared broker.
      ready(messaging.subscribe(topic, delivery -> addOwn(names, received, delivery)));
      ready(messaging.pull(
          topic.group(fresh("group")), delivery -> addOwn(names, grouped, delivery)));
      live.put(pattern, received);
      groups.put(pattern, grouped);
    }
    for (String name : names) {
      get(messaging.publish(Topic.of(name, Codecs.utf8()), name));
    }
    List<Map<String, Received<String>>> kinds = List.of(live, groups);
    Map<String, List<String>> expected = new LinkedHashMap<>();
    matches.forEach(
        (pattern, of) -> expected.put(pattern, of.stream().map(names::get).toList()));
    kinds.forEach(kind -> kind.forEach((pattern, got) -> got.awaitAll(of(expected, pattern))));
    holds("quiet", () -> true, () -> "");
    kinds.forEach(kind -> kind.forEach((pattern, got) -> got.checkExactly(of(expected, pattern))));
  }

  private static void addOwn(
      List<String> names, Received<String> received, Delivery<String> delivery) {
    if (names.contains(delivery.address())) {
      assertEquals(delivery.payload(), delivery.address());
      received.add(delivery);
    }
  }

  private static List<String> of(Map<String, List<String>> expected, String pattern) {
    return expected.getOrDefault(pattern, List.of());
  }

  private boolean allowed(String pattern) {
    Wildcards wildcards = guarantees(Pattern.PUBLISH_SUBSCRIBE).wildcards();
    boolean first = pattern.startsWith("*") || pattern.startsWith("#");
    return wildcards == Wildcards.ALL || (wildcards == Wildcards.NOT_FIRST_WORD && !first);
  }

  private static void assertRefused(Messaging messaging, Topic<String> topic) {
    WorkQueue<String> group = topic.group("group");
    assertRefused(topic, () -> messaging.subscribe(topic, delivery -> {}));
    assertRefused(topic, () -> messaging.declare(group));
    assertRefused(topic, () -> messaging.redeclare(group));
    assertRefused(topic, () -> messaging.pull(group, delivery -> {}));
  }

  private static void assertRefused(Topic<String> topic, Executable use) {
    Throwable refused = assertThrows(UnsupportedSettingException.class, use, topic.name());
    String text = String.valueOf(refused.getMessage());
    assertTrue(text.contains(topic.name()), text + " (expected: with the pattern)");
    assertTrue(text.contains("Guarantees.wildcards"), text + " (expected: with the field)");
  }

  @Test
  @DisplayName("13. a pattern sees a topic that is created after the subscription")
  void newTopic() throws Exception {
    String p = fresh("p");
    assume(allowed(p + ".*"), "wildcards", guarantees(Pattern.PUBLISH_SUBSCRIBE).wildcards());
    Messaging messaging = messaging();
    Received<String> received = received();
    ready(messaging.subscribe(Topic.of(p + ".*", Codecs.utf8()), received));
    Topic<String> topic = Topic.of(p + ".new", Codecs.utf8());
    if (profile().newTopic().isZero()) {
      get(messaging.publish(topic, "first"));
      received.awaitExactly(List.of("first"));
      return;
    }
    await(
        "a message of the new topic",
        profile().newTopic(),
        () -> {
          get(messaging.publish(topic, "again"));
          return received.size() > 0;
        },
        () -> received);
  }

  @Test
  @DisplayName("14. a pattern cannot be published to, and a group cannot be pushed to")
  void patternIsNotPublishedTo() throws Exception {
    Messaging messaging = messaging();
    for (String pattern : List.of("*", "#", "a.*", "a.#", "*.b", "a.*.c")) {
      Topic<String> topic = Topic.of(pattern, Codecs.utf8());
      IllegalArgumentException refused = assertThrows(
          IllegalArgumentException.class, () -> messaging.publish(topic, "x"), pattern);
      assertTrue(String.valueOf(refused.getMessage()).contains(pattern), refused::toString);
    }
    WorkQueue<String> group = topic().group("group");
    assertThrows(IllegalArgumentException.class, () -> messaging.push(group, "x"));
  }

  @Test
  @DisplayName("14. bad names are rejected with the name and what is allowed")
  void badNames() {
    List<String> bad = new ArrayList<>(
        List.of("", ".", "a.", ".a", "a..b", "a b", "a/b", "ä", "a_b", "a\n", "x".repeat(201)));
    List<String> wildcards = List.of("*", "#", "a.*", "a.#");
    List<String> misplaced = List.of("#.a", "a*", "a.b#", "**", "a.#.b");
    for (String name : bad) {
      assertBadName(name, () -> Topic.of(name, Codecs.utf8()));
    }
    for (String name : misplaced) {
      assertBadName(name, () -> Topic.of(name, Codecs.utf8()));
    }
    bad.addAll(wildcards);
    bad.addAll(misplaced);
    for (String name : bad) {
      assertBadName(name, () -> WorkQueue.of(name, Codecs.utf8()));
      assertBadName(name, () -> Subject.of(name, Codecs.utf8(), Codecs.utf8()));
      assertBadName(name, () -> Signal.of(name, Codecs.utf8()));
      assertBadName(name, () -> Topic.of("a", Codecs.utf8()).group(name));
    }
  }

  private static void assertBadName(String name, Executable use) {
    IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, use, name);
    String text = String.valueOf(refused.getMessage());
    assertTrue(text.contains('"' + name + '"'), text + " (expected: with the name)");
    assertTrue(text.contains("expected"), text + " (expected: with what is allowed)");
  }

  @Test
  @DisplayName("15. one subscriber gets the messages of a sender in order")
  void orderPerSender() throws Exception {
    Order order = assumeOrder();
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    Received<String> received = received();
    ready(messaging.subscribe(topic, received));
    List<String> sent = publishWithKeys(messaging, topic);
    received.awaitExactly(sent);
    assertEquals(byKey(sent), byKey(received.distinct()), "order by key");
    if (order != Order.PER_KEY) {
      assertEquals(sent, received.distinct(), "order of the sender");
    }
  }

  private Order assumeOrder() {
    Order order = guarantees(Pattern.PUBLISH_SUBSCRIBE).order();
    assume(order != Order.NONE, "order", order);
    assume(!profile().reorders(), "order", "off: faults reorder");
    return order;
  }

  /** Publishes messages of 16 keys, and returns their payloads: each its key and a number. */
  private List<String> publishWithKeys(Messaging messaging, Topic<String> topic) {
    List<String> sent = new ArrayList<>();
    for (int i = 0; i < profile().scaled(1000); i++) {
      sent.add("key" + i % 16 + "/" + i);
      messaging.publishMessage(topic, Message.of(sent.get(i)).withKey("key" + i % 16));
    }
    return sent;
  }

  @EachHandlerKind
  @DisplayName("16. four handlers at once keep the order of each key, one at a time")
  void concurrentOrderPerKey(HandlerKind kind) throws Exception {
    assumeOrder();
    Messaging messaging = messaging();
    Topic<String> topic = topic();
    Received<String> received = received();
    Set<String> running = ConcurrentHashMap.newKeySet();
    AtomicReference<String> overlap = new AtomicReference<>("");
    ready(kind.start(messaging.subscriber(topic).concurrency(4), delivery -> {
      String key = delivery.message().key().orElseThrow();
      if (!running.add(key)) {
        overlap.set(delivery.payload());
      }
      received.add(delivery);
      running.remove(key);
    }));
    List<String> sent = publishWithKeys(messaging, topic);
    received.awaitExactly(sent);
    assertEquals("", overlap.get(), "handled while another message of its key was");
    assertEquals(byKey(sent), byKey(received.distinct()), "order by key");
    assertFalse(received.payloads().isEmpty());
  }

  private static Map<String, List<String>> byKey(List<String> values) {
    Map<String, List<String>> byKey = new HashMap<>();
    for (String value : values) {
      byKey
          .computeIfAbsent(value.substring(0, value.indexOf('/')), key -> new ArrayList<>())
          .add(value);
    }
    return byKey;
  }
}

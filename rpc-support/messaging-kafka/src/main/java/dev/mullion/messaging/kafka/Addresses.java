package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.Route;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The topics, subjects and signals that this link has prepared. */
final class Addresses {
  private final Names names;
  private final Topology topology;
  private final Set<String> prepared = ConcurrentHashMap.newKeySet(); // their Kafka topics

  Addresses(Names names, Topology topology) {
    this.names = names;
    this.topology = topology;
  }

  /** Creates what a route needs, or checks that it exists; only success is remembered. */
  void prepare(Route route) throws MessagingException {
    if (!prepared.contains(names.address(route))) {
      create(route);
      prepared.add(names.address(route));
    }
  }

  /** Makes again what is missing of a route that was prepared. */
  void makeAgain(Route route) throws MessagingException {
    prepared.remove(names.address(route));
    prepare(route);
  }

  /** Returns what a message is for; one that misses its topic lets the next one create it. */
  Sender.Purpose purpose(String kind, Route route) {
    return new Sender.Purpose() {
      @Override
      public String text() {
        return kind + route.name();
      }

      @Override
      public void missing() {
        prepared.remove(names.address(route));
      }
    };
  }

  private void create(Route route) throws MessagingException {
    String what = "the address " + route.name();
    if (route instanceof Route.Topic topic) {
      if (topic.name().startsWith("*") || topic.name().startsWith("#")) {
        throw new UnsupportedSettingException("name: \"" + topic.name()
            + "\" (expected: a first word that is no wildcard, since it is the Kafka topic; engine"
            + " kafka, see Guarantees.wildcards)");
      }
      topology.ensure(List.of(topology.published(names.topic(topic.name()))), what);
    } else if (route instanceof Route.Subject) {
      String subject = names.subject(route.name());
      Set<String> created = topology.ensure(
          List.of(topology.requests(subject), topology.requests(names.replies())), what);
      topology.shareGroup(subject, created.contains(subject), null, what);
    } else if (route instanceof Route.Signal) {
      String signal = names.signal(route.name());
      topology.ensure(List.of(topology.signals(signal)), what);
      topology.shareGroup(signal, false, null, what);
    }
  }

  /** Returns the record of a message that is published. */
  ProducerRecord<byte[], byte[]> published(String topic, Message<byte[]> message) {
    ProducerRecord<byte[], byte[]> sent = Records.of(names.topic(topic), message);
    if (topic.indexOf('.') >= 0) {
      Records.set(sent.headers(), Records.TOPIC, topic);
    }
    return sent;
  }
}

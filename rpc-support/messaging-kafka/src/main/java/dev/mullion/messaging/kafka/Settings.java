package dev.mullion.messaging.kafka;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.ShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/** The engine's settings, and the clients of Kafka made of them. */
final class Settings {
  private static final int MOST_ATTEMPT_MILLIS = 10_000;

  /** For the headers that copies and dead letters have besides those of their message. */
  private static final int ROOM_FOR_COPIES = 65_536;

  /**
   * A request has one batch of a partition, with what has gathered meanwhile. With the client's
   * default of 16 KiB, messages of that size would go one by one.
   */
  static final int BATCH_BYTES = 128 << 10;

  private static final int BATCHES = 1024; // as many as there are open sends, by default

  private static final AtomicLong CLIENTS = new AtomicLong();

  private final KafkaEngine.Builder from;
  private final @Nullable TlsFiles tls;

  Settings(KafkaEngine.Builder from, @Nullable TlsFiles tls) {
    this.from = from;
    this.tls = tls;
  }

  String servers() {
    return from.servers;
  }

  String prefix() {
    return from.prefix;
  }

  Duration connectTimeout() {
    return from.connectTimeout;
  }

  Duration requestTimeout() {
    return from.requestTimeout;
  }

  Duration deliveryTimeout() {
    return from.deliveryTimeout;
  }

  Duration lockDuration() {
    return from.lockDuration;
  }

  Duration healthInterval() {
    return from.healthInterval;
  }

  boolean creates() {
    return from.topology == KafkaEngine.Topology.CREATE;
  }

  int replicationFactor() {
    return from.replicationFactor;
  }

  int topicPartitions() {
    return from.topicPartitions;
  }

  int maxMessageBytes() {
    return from.maxMessageBytes;
  }

  /** Returns the greatest copy, which has further headers. */
  int maxCopyBytes() {
    return from.maxMessageBytes + ROOM_FOR_COPIES;
  }

  int orderedPartitions() {
    return from.orderedPartitions;
  }

  int signalBuffer() {
    return from.signalBuffer;
  }

  int maxConsumers() {
    return from.maxConsumers;
  }

  private Map<String, Object> common(String role) {
    Map<String, Object> all = new HashMap<>();
    all.put("bootstrap.servers", from.servers);
    // Metrics and the broker's logs tell clients apart by it.
    all.put("client.id", from.clientName + '-' + role + '-' + CLIENTS.incrementAndGet());
    all.put("reconnect.backoff.ms", 50);
    all.put("reconnect.backoff.max.ms", 1000);
    all.put("retry.backoff.ms", 50);
    all.put("retry.backoff.max.ms", 500);
    all.put("enable.metrics.push", false);
    all.put("security.protocol", (from.sasl ? "SASL_" : "") + (tls == null ? "PLAINTEXT" : "SSL"));
    if (tls != null) {
      all.putAll(tls.properties());
      all.put("ssl.engine.factory.class", ReloadedTls.class);
      all.put(ReloadedTls.FILES, tls);
    }
    all.putAll(from.security);
    return all;
  }

  private Properties finished(Map<String, Object> all) {
    Properties properties = new Properties();
    all.putAll(from.properties);
    all.forEach((name, value) -> {
      if (value != null) {
        properties.put(name, value);
      }
    });
    return properties;
  }

  private static int millis(Duration duration) {
    return (int) Math.min(Integer.MAX_VALUE, duration.toMillis());
  }

  private static int attempt(Duration whole) {
    return Math.min(MOST_ATTEMPT_MILLIS, millis(whole));
  }

  Admin admin() {
    Map<String, Object> all = common("admin");
    all.put("request.timeout.ms", attempt(from.requestTimeout));
    all.put("default.api.timeout.ms", millis(from.requestTimeout));
    return Admin.create(finished(all));
  }

  /** Returns how long the first question may take, whatever others may. */
  DescribeClusterOptions connecting() {
    return new DescribeClusterOptions().timeoutMs(millis(from.connectTimeout));
  }

  /** Returns a producer whose answers are those of all replicas, or of none at all. */
  Producer<byte[], byte[]> producer(boolean answered) {
    return new KafkaProducer<>(
        ofProducer(answered), new ByteArraySerializer(), new ByteArraySerializer());
  }

  Properties ofProducer(boolean answered) {
    Map<String, Object> all = common(answered ? "sends" : "signals");
    all.put("acks", answered ? "all" : "0");
    all.put("enable.idempotence", answered);
    all.put("linger.ms", 0);
    int batch = Math.min(BATCH_BYTES, from.maxMessageBytes); // a topic may take no larger one
    if (answered) {
      all.put("batch.size", batch);
    }
    all.put("delivery.timeout.ms", millis(from.deliveryTimeout));
    all.put("request.timeout.ms", attempt(from.deliveryTimeout));
    all.put("max.block.ms", Math.min(2000, millis(from.deliveryTimeout)));
    all.put("max.request.size", maxCopyBytes());
    // In an outage each send may have a batch of its own, to another partition.
    long memory = answered ? (long) BATCHES * batch : 8L << 20;
    all.put("buffer.memory", Math.max(memory, 4L * from.maxMessageBytes));
    // An address that is used seldom must not make its next sender wait.
    all.put("metadata.max.idle.ms", Long.toString(Duration.ofDays(7).toMillis()));
    return finished(all);
  }

  private Map<String, Object> consumer(String role) {
    Map<String, Object> all = common(role);
    all.put("request.timeout.ms", Math.max(attempt(from.requestTimeout), 2000));
    all.put("default.api.timeout.ms", Math.max(millis(from.requestTimeout), 2000));
    return all;
  }

  /** Returns a consumer without a group, which reads what it is told to. */
  Consumer<byte[], byte[]> reader(String role, String reset) {
    Map<String, Object> all = consumer(role);
    all.put("enable.auto.commit", false);
    all.put("auto.offset.reset", reset);
    all.put("allow.auto.create.topics", false);
    all.put("fetch.max.wait.ms", 100);
    return consumer(all);
  }

  /**
   * Returns a member of a consumer group that commits by itself.
   *
   * @param pollInterval how long it may do without a poll
   */
  Consumer<byte[], byte[]> member(String group, Duration pollInterval) {
    Map<String, Object> all = consumer(group);
    all.put("group.id", group);
    all.put("group.protocol", "consumer");
    all.put("enable.auto.commit", false);
    all.put("auto.offset.reset", "earliest");
    all.put("allow.auto.create.topics", false);
    all.put("fetch.max.wait.ms", 25);
    all.put("max.poll.interval.ms", millis(pollInterval));
    all.put("max.poll.records", 100);
    return consumer(all);
  }

  private Consumer<byte[], byte[]> consumer(Map<String, Object> all) {
    return new KafkaConsumer<>(
        finished(all), new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  /** Returns a member of a share group that acquires at most that many records at a time. */
  ShareConsumer<byte[], byte[]> shareConsumer(String group, int most) {
    Map<String, Object> all = consumer(group);
    all.put("group.id", group);
    all.put("share.acknowledgement.mode", "explicit");
    all.put("share.acquire.mode", "record_limit");
    all.put("max.poll.records", most);
    all.put("fetch.max.wait.ms", 250);
    return new KafkaShareConsumer<>(
        finished(all), new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }
}

package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/**
 * The requests of this link, and the replies to them. All links share one topic of replies: each
 * reads it from its end on and takes those with its own name.
 */
final class Requests {
  static final String REPLY_TO = Records.OWN + "reply-to";
  static final String REQUEST_ID = Records.OWN + "request-id";
  static final String DEADLINE = Records.OWN + "deadline";
  static final String STATUS = Records.OWN + "status";
  static final String ERROR = Records.OWN + "error";

  private final KafkaLink link;
  private final EngineContext context;
  private final String instance = UUID.randomUUID().toString();
  private final Map<Long, CompletableFuture<Void>> waiting =
      new ConcurrentHashMap<>(); // first ones
  private @Nullable Replies replies; // guarded by this
  private volatile boolean closed;

  Requests(KafkaLink link, EngineContext context) {
    this.link = link;
    this.context = context;
  }

  CompletionStage<Void> send(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    ProducerRecord<byte[], byte[]> request =
        Records.of(link.names().subject(subject.name()), message);
    Headers headers = request.headers();
    Records.set(headers, REPLY_TO, instance);
    Records.set(headers, REQUEST_ID, Long.toString(id));
    long deadline = System.currentTimeMillis() + Records.millis(timeout);
    Records.set(headers, DEADLINE, Long.toString(deadline));
    Sender.Purpose what = link.addresses().purpose("a request to subject ", subject);
    CompletableFuture<Void> listening;
    try {
      listening = replies().ready;
    } catch (IllegalStateException e) { // messaging was closed meanwhile
      return CompletableFuture.failedStage(e);
    }
    if (listening.isDone()) {
      return link.sender().send(request, what);
    }
    CompletableFuture<Void> begun = new CompletableFuture<>();
    waiting.put(id, begun);
    if (listening.isDone()) {
      begin();
    }
    if (closed) {
      close();
    }
    return begun.thenCompose(done -> link.sender().send(request, what));
  }

  /** Sends those that waited for the reader of replies. */
  private void begin() {
    waiting.keySet().forEach(id -> {
      CompletableFuture<Void> begun = waiting.remove(id);
      if (begun != null) {
        begun.complete(null);
      }
    });
  }

  /** Lets go of one that was not sent yet: its caller has stopped to wait. */
  void cancel(long id) {
    CompletableFuture<Void> begun = waiting.remove(id);
    if (begun != null) {
      begun.cancel(false);
    }
  }

  /** Fails those that were not sent yet. */
  void close() {
    closed = true;
    waiting.keySet().forEach(id -> {
      CompletableFuture<Void> begun = waiting.remove(id);
      if (begun != null) {
        begun.completeExceptionally(KafkaLink.ended());
      }
    });
  }

  /** Starts to read replies, with the first request. */
  private synchronized Replies replies() {
    Replies now = replies;
    if (now == null) {
      now = new Replies();
      link.live().add(now);
      now.ready.thenRun(this::begin);
      replies = now;
    }
    return now;
  }

  private final class Replies extends LiveReader.Listener {
    private final AtomicBoolean making = new AtomicBoolean();
    private volatile boolean told; // that it cannot be made

    Replies() {
      super(link.names().replies());
    }

    /** Makes the topic again: a reply that finds none is lost, and tells its caller nothing. */
    @Override
    void gone() {
      if (making.compareAndSet(false, true)) {
        link.background(this::make).whenComplete((made, error) -> {
          making.set(false); // whatever was thrown: a background task always answers
          boolean failed = error != null;
          if (failed && !told) {
            link.failing("the topic of replies", error);
          }
          told = failed;
        });
      }
    }

    private Set<String> make() throws MessagingException {
      Topology topology = link.topology();
      return topology.ensure(List.of(topology.requests(kafkaTopic)), "the topic of replies");
    }

    @Override
    void take(ConsumerRecord<byte[], byte[]> next) {
      Headers headers = next.headers();
      long id = Records.number(headers, REQUEST_ID, -1);
      if (id < 0 || !instance.equals(Records.text(headers, REPLY_TO))) {
        return;
      }
      String error = Records.text(headers, ERROR);
      Reply.Status status = status(Records.text(headers, STATUS));
      Reply reply = status == Reply.Status.OK
          ? Reply.of(id, new Envelope(headers).message(next))
          : Reply.error(id, status, error);
      context.events().replied(reply);
    }
  }

  /** Returns the status; a reply of another client needs none. */
  private static Reply.Status status(@Nullable String name) {
    for (Reply.Status each : Reply.Status.values()) {
      if (each.name().equals(name)) {
        return each;
      }
    }
    return Reply.Status.OK;
  }

  /** Returns the record of a reply to the sender of this request; null if nobody waits. */
  static @Nullable ProducerRecord<byte[], byte[]> reply(
      ConsumerRecord<byte[], byte[]> request, Reply reply, String topic) {
    String to = Records.text(request.headers(), REPLY_TO);
    String id = Records.text(request.headers(), REQUEST_ID);
    if (to == null || id == null) {
      return null;
    }
    Message<byte[]> message = reply.message().orElse(null);
    ProducerRecord<byte[], byte[]> answer = message == null
        ? new ProducerRecord<>(topic, null, to.getBytes(UTF_8), new byte[0])
        : Records.of(topic, message);
    Records.set(answer.headers(), REPLY_TO, to);
    Records.set(answer.headers(), REQUEST_ID, id);
    Records.set(answer.headers(), STATUS, reply.status().name());
    Records.set(answer.headers(), ERROR, reply.error());
    return answer;
  }
}

package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The declarations of all queues and groups. They are the records of one stream queue, which each
 * link reads from the first record on, and follows. The first declaration of a queue wins. A link
 * that declares appends a record and reads until it sees that record, so all agree.
 *
 * <pre>
 *  declare orders A      the declaration is A
 *  declare orders B      ignored; its author sees A, and fails
 *  replace orders C      the declaration is C
 *  delete orders         there is none
 *  mark                  no effect; its author has read all before it
 * </pre>
 */
final class Declarations {
  /** After this time without a record, the stream is taken for empty. */
  private static final long EMPTY_MILLIS = 50;

  private static final long RETRY_NANOS = 100_000_000;

  /** What a mark is about. */
  private static final Route.Queue NOTHING = new Route.Queue(
      "mark",
      Optional.empty(),
      Redelivery.immediate(1),
      Duration.ofSeconds(1),
      false,
      0,
      0,
      Overflow.FAIL,
      1,
      Duration.ofSeconds(1));

  private final Entities entities;
  private final BrokerErrors errors;
  private final Attempt attempt;
  private final Map<String, CompletableFuture<@Nullable Void>> own = new ConcurrentHashMap<>();
  private volatile View view = new View();
  private volatile boolean usable;
  private volatile CompletableFuture<@Nullable Void> known = new CompletableFuture<>();

  Declarations(Entities entities, BrokerErrors errors, Attempt attempt) {
    this.entities = entities;
    this.errors = errors;
    this.attempt = attempt;
  }

  /** Fails as long as a stream cannot be used. */
  interface Attempt {
    void use(String stream) throws IOException, TimeoutException;
  }

  /** What the records say so far. */
  private static final class View {
    final Map<String, Route.Queue> declared = new ConcurrentHashMap<>();
    final Map<String, List<Route.Queue>> history = new ConcurrentHashMap<>();
  }

  /**
   * Returns what {@link #follow} completes; a caller that needs the records waits for it. If the
   * session is lost before that, the caller waits for the next one.
   */
  CompletableFuture<@Nullable Void> beginReading() {
    CompletableFuture<@Nullable Void> before = known;
    CompletableFuture<@Nullable Void> read = new CompletableFuture<>();
    read.whenComplete((none, error) -> complete(before, error));
    known = read;
    return read;
  }

  private static void complete(CompletableFuture<@Nullable Void> one, @Nullable Throwable error) {
    if (error == null) {
      one.complete(null);
    } else {
      one.completeExceptionally(error);
    }
  }

  /** Fails those that wait. */
  void close() {
    known.completeExceptionally(errors.away(false));
  }

  /**
   * Reads all records on a new session, and follows them. A broker that was killed may need many
   * seconds until its stream is back, while its queues are there: so this blocks a thread of its
   * own, and what was known before counts until then.
   */
  void follow(
      Session session,
      Publisher publisher,
      boolean creates,
      long timeoutMillis,
      CompletableFuture<@Nullable Void> read) {
    while (!session.isOver() && !read.isDone()) {
      try {
        read(session, publisher, creates, timeoutMillis);
        read.complete(null);
      } catch (IOException | TimeoutException | RuntimeException e) {
        if (!BrokerErrors.isStarting(e) && BrokerErrors.isChannelError(e)) {
          read.completeExceptionally(e);
          return;
        }
        LockSupport.parkNanos(RETRY_NANOS);
      }
    }
  }

  private void read(Session session, Publisher publisher, boolean creates, long timeoutMillis)
      throws IOException, TimeoutException, MessagingException {
    session.declareStream(entities.declarations(), creates);
    if (!usable) {
      attempt.use(entities.declarations());
      usable = true;
    }
    View reading = new View();
    DeclarationStream stream = new DeclarationStream(
        session, entities.declarations(), errors, properties -> take(properties, reading));
    long last = stream.last(EMPTY_MILLIS);
    stream.read(last, timeoutMillis);
    if (last < 0 && creates) { // it seems to be empty: then it is no longer
      append("mark", NOTHING, publisher, timeoutMillis);
    }
    view = reading;
  }

  /** Waits until all records are read. */
  private void awaitKnown(long timeoutMillis) throws MessagingException {
    Waiting.await(known, timeoutMillis, errors, "reading " + entities.declarations());
  }

  /** Returns the declaration in force. */
  Route.@Nullable Queue find(String id) {
    return view.declared.get(id);
  }

  /** Returns the declaration in force of a queue that may have been declared anew. */
  Route.Queue inForce(Route.Queue queue) {
    Route.Queue now = find(queue.id());
    return now == null ? queue : now;
  }

  /** Returns all that are declared. */
  List<Route.Queue> all(long timeoutMillis) throws MessagingException {
    awaitKnown(timeoutMillis);
    return new ArrayList<>(view.declared.values());
  }

  /** Returns this declaration and the earlier ones, whose delays may still hold messages. */
  List<Route.Queue> history(String id) {
    List<Route.Queue> all = view.history.get(id);
    if (all == null) {
      return List.of();
    }
    synchronized (all) {
      return new ArrayList<>(all);
    }
  }

  /** Declares a queue, unless it is declared; throws if it is, with other settings. */
  void declare(Route.Queue queue, Publisher publisher, long timeoutMillis)
      throws MessagingException {
    if (queue.equals(find(queue.id()))) {
      return;
    }
    awaitKnown(timeoutMillis);
    if (find(queue.id()) == null) {
      append("declare", queue, publisher, timeoutMillis);
    }
    Route.Queue now = find(queue.id());
    if (now != null && !now.equals(queue)) {
      append("mark", queue, publisher, timeoutMillis); // what is known may be old
      now = find(queue.id());
    }
    if (now != null && !now.equals(queue)) {
      throw differences(queue, now);
    }
  }

  /** Checks that a queue is declared, and not with other settings. */
  void check(Route.Queue queue, long timeoutMillis) throws MessagingException {
    if (!queue.equals(find(queue.id()))) {
      awaitKnown(timeoutMillis);
    }
    Route.Queue now = find(queue.id());
    if (now == null) {
      throw new MissingAddressException("queue " + queue.id() + " is not declared in "
          + entities.declarations() + " (expected: declared once with topology CREATE; broker "
          + errors.where() + ")");
    }
    if (!now.equals(queue)) {
      throw differences(queue, now);
    }
  }

  void replace(Route.Queue queue, Publisher publisher, long timeoutMillis)
      throws MessagingException {
    awaitKnown(timeoutMillis);
    append("replace", queue, publisher, timeoutMillis);
  }

  void delete(Route.Queue queue, Publisher publisher, long timeoutMillis)
      throws MessagingException {
    awaitKnown(timeoutMillis);
    append("delete", queue, publisher, timeoutMillis);
  }

  private void append(String what, Route.Queue queue, Publisher publisher, long timeoutMillis)
      throws MessagingException {
    String id = UUID.randomUUID().toString();
    CompletableFuture<@Nullable Void> seen = new CompletableFuture<>();
    own.put(id, seen);
    try {
      Publication publication =
          Publication.toQueue(entities.declarations(), DeclarationRecord.of(what, queue, id));
      String doing = what + " " + queue.id();
      Waiting.await(publisher.publish(publication), timeoutMillis, errors, doing);
      Waiting.await(seen, timeoutMillis, errors, doing);
    } finally {
      own.remove(id);
    }
  }

  private ConflictingDeclarationException differences(Route.Queue asked, Route.Queue now) {
    return new ConflictingDeclarationException((asked.source().isPresent() ? "group " : "queue ")
        + asked.id() + " is declared with other settings: "
        + DeclarationRecord.differences(asked, now) + " (redeclare changes them on purpose; broker "
        + errors.where() + ")");
  }

  private void take(BasicProperties properties, View to) {
    try {
      take(DeclarationRecord.from(properties), to);
    } catch (RuntimeException e) {
      Logs.warn("record", "a record of " + entities.declarations() + " is not understood", e);
    }
  }

  private void take(DeclarationRecord each, View to) {
    String id = each.queue().id();
    switch (each.what()) {
      case "declare" -> {
        if (to.declared.putIfAbsent(id, each.queue()) == null) {
          remember(id, each.queue(), to);
        }
      }
      case "replace" -> {
        to.declared.put(id, each.queue());
        remember(id, each.queue(), to);
      }
      case "delete" -> {
        to.declared.remove(id);
        to.history.remove(id);
      }
      case "mark" -> {
        // For its author, who knows now that all before it was read.
      }
      default ->
        Logs.warn(
            "record",
            "a record of " + entities.declarations() + " is not understood: " + each.what(),
            null);
    }
    CompletableFuture<@Nullable Void> waiting = own.get(each.record());
    if (waiting != null) {
      waiting.complete(null);
    }
  }

  private static void remember(String id, Route.Queue queue, View to) {
    List<Route.Queue> all = to.history.computeIfAbsent(id, key -> new ArrayList<>());
    synchronized (all) {
      all.add(queue);
    }
  }
}

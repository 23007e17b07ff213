package dev.mullion.messaging.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Request-reply: timeouts, cancellation and nesting; cases 53, 55, 56, 60 and 77. */
public abstract class RequestLifeSuite extends EngineSuite {
  private final CompletableFuture<String> late = new CompletableFuture<>();

  /** Creates the suite. */
  protected RequestLifeSuite() {}

  @Test
  @DisplayName("53. a timeout comes at its time; the late reply is counted, and no error is logged")
  void timeout() throws Exception {
    Messaging messaging = messaging();
    Subject<String, String> subject = subject();
    ready(messaging.replier(subject).startAsync(request -> late));
    ConcurrentLinkedQueue<String> logged = new ConcurrentLinkedQueue<>();
    Handler handler = errors(logged, subject.name());
    Logger logger = Logger.getLogger("dev.mullion.messaging");
    logger.addHandler(handler);
    try {
      Duration timeout = profile().instant(); // the replier has to get it in time
      long start = System.nanoTime();
      failure(TimeoutException.class, messaging.request(subject, "x", timeout));
      Duration took = Duration.ofNanos(System.nanoTime() - start);
      assertTrue(
          took.plusMillis(1).compareTo(timeout) >= 0
              && took.compareTo(timeout.plus(profile().delaySlack())) <= 0,
          "timed out after " + took);
      assertEquals(1, messaging.counters().timedOut());
      late.complete("late");
      awaitLateReply(messaging);
      assertEquals(List.of(), List.copyOf(logged));
    } finally {
      logger.removeHandler(handler);
    }
  }

  private void awaitLateReply(Messaging messaging) {
    await(
        "one late reply",
        () -> messaging.counters().lateReplies() == 1,
        () -> messaging.counters());
    assertEquals(0, messaging.counters().pending());
  }

  /** Collects what is logged of replies, or with a name: other cases may run beside this one. */
  private static Handler errors(ConcurrentLinkedQueue<String> logged, String name) {
    return new Handler() {
      @Override
      public void publish(LogRecord logRecord) {
        String text = logRecord.getMessage() + " " + logRecord.getThrown();
        if (logRecord.getLevel().intValue() >= Level.WARNING.intValue()
            && (text.contains("reply") || text.contains(name))) {
          logged.add(text);
        }
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
  }

  @Test
  @DisplayName("55. cancelling the future frees its slot; the late reply is counted")
  void cancel() throws Exception {
    Subject<String, String> subject = subject();
    Messaging replier = messaging();
    Received<String> received = received();
    ready(replier.replier(subject).startAsync(request -> {
      received.add(request);
      return request.payload().equals("slow") ? late : CompletableFuture.completedFuture("quick");
    }));
    Messaging caller =
        messaging(builder -> builder.maxPending(1).sendTimeout(profile().delivery()));
    CompletableFuture<Message<String>> slow =
        caller.requestMessage(subject, Message.of("slow"), Duration.ofMinutes(1));
    received.awaitAll(List.of("slow"));
    assertEquals(1, caller.counters().pending());
    assertTrue(slow.cancel(true));
    assertEquals("quick", get(caller.request(subject, "next", profile().delivery())));
    late.complete("late");
    awaitLateReply(caller);
  }

  @Test
  @DisplayName("77. cancelling the future of a payload cancels the request")
  void cancelPayload() throws Exception {
    Subject<String, String> subject = subject();
    ready(messaging().replier(subject).startAsync(request -> late));
    Messaging caller = messaging();
    CompletableFuture<String> slow = caller.request(subject, "slow", Duration.ofMinutes(1));
    assertEquals(1, caller.counters().pending());
    assertTrue(slow.cancel(true));
    await("a free slot", () -> caller.counters().pending() == 0, () -> caller.counters());
    late.complete("late");
    assertEquals(0, caller.counters().timedOut());
  }

  @EachHandlerKind
  @DisplayName(
      "56. a replier that goes away in its handler: an error or a timeout, never two answers")
  void replierGoesAway(HandlerKind kind) throws Exception {
    Subject<String, String> subject = subject();
    Messaging going = messaging();
    Received<String> calls = received();
    CompletableFuture<String> never = new CompletableFuture<>();
    ready(kind.start(going.replier(subject), request -> {
      calls.add(request);
      return never.get(20, TimeUnit.SECONDS);
    }));
    Messaging caller = messaging();
    AtomicInteger answers = new AtomicInteger();
    CompletableFuture<String> reply = caller.request(subject, "x", Duration.ofSeconds(3));
    reply.whenComplete((text, error) -> answers.incrementAndGet());
    calls.awaitAll(List.of("x"));
    ready(messaging().reply(subject, request -> {
      calls.add(request);
      return "from another";
    }));
    going.stop(Duration.ZERO);
    Throwable failed = failure(Throwable.class, reply);
    assertTrue(
        failed instanceof MessagingException || failed instanceof TimeoutException,
        failed.toString());
    never.complete("too late");
    calls.awaitExactly(List.of("x"));
    assertEquals(1, answers.get());
  }

  @EachHandlerKind
  @DisplayName("60. a request inside a handler of the same Messaging does not deadlock")
  void nestedRequest(HandlerKind kind) throws Exception {
    Messaging messaging = messaging(builder -> builder.maxHandlerThreads(4));
    Subject<String, String> outer = subject();
    Subject<String, String> inner = subject();
    WorkQueue<String> queue = queue();
    ready(kind.start(messaging.replier(inner).concurrency(1), request -> request.payload() + "!"));
    ready(kind.start(
        messaging.replier(outer).concurrency(1),
        request -> get(messaging.request(inner, request.payload(), profile().delivery())) + "?"));
    Received<String> received = received();
    ready(kind.start(messaging.worker(queue), delivery -> {
      get(messaging.request(outer, delivery.payload(), profile().delivery()));
      received.add(delivery);
    }));
    assertEquals("x!?", get(messaging.request(outer, "x", profile().delivery())));
    List<String> sent = numbered("", 20);
    pushAll(messaging, queue, sent);
    received.awaitExactly(sent);
  }

  @Test
  @DisplayName("60. sends in an asynchronous handler without room left fail at once")
  void asyncSendsNeverWait() throws Exception {
    assume(queues().overflows().contains(Overflow.BLOCK), "overflows", queues().overflows());
    Messaging messaging =
        messaging(builder -> builder.maxPending(1).sendTimeout(Duration.ofMinutes(1)));
    Subject<String, String> silent = subject();
    ready(messaging().replier(silent).startAsync(request -> late));
    WorkQueue<String> queue = queue();
    Topic<String> topic = topic();
    ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
    ConcurrentLinkedQueue<Long> took = new ConcurrentLinkedQueue<>();
    WorkQueue<String> trigger = queue();
    get(messaging().push(trigger, "go"));
    CompletableFuture<String> occupying = messaging.request(silent, "x", Duration.ofMinutes(1));
    ready(messaging.worker(trigger).startAsync(delivery -> {
      long start = System.nanoTime();
      failures.add(errorOf(messaging.push(queue, "push")));
      failures.add(errorOf(messaging.publish(topic, "publish")));
      took.add(System.nanoTime() - start);
      return CompletableFuture.completedFuture(null);
    }));
    await("two failed sends", () -> failures.size() >= 2 && took.size() >= 1, () -> failures);
    failures.forEach(failed -> assertTrue(failed instanceof QueueFullException, failed.toString()));
    assertTrue(took.element() < profile().instant().toNanos(), took + " ns");
    late.complete("reply");
    assertEquals("reply", get(occupying));
    get(messaging.push(queue, "room again"));
  }

  private static Throwable errorOf(CompletableFuture<?> send) {
    try {
      Object result = send.isDone() ? send.get() : "nothing yet";
      return new AssertionError("a send without room completed with " + result);
    } catch (ExecutionException e) {
      return e.getCause() == null ? e : e.getCause();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return e;
    }
  }
}

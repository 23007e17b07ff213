package dev.mullion.messaging.grpc;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueFullException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.DeleteQueue;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Extend;
import dev.mullion.messaging.grpc.v1.ListQueues;
import dev.mullion.messaging.grpc.v1.Send;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Signal;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongFunction;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A client's link to a messaging server. {@link LinkConnection} keeps it connected. */
final class GrpcLink implements EngineLink {
  /** Signals beyond this wait for the transport no longer: they are dropped. */
  private static final long SIGNAL_BACKLOG = 4 << 20;

  private final EngineContext context;
  private final LinkConnection connection;
  private final LinkSends sends;
  private final LinkAnswers answers;
  private final LinkRequests requests;
  private final Duration patience;
  private final AtomicLong ids = new AtomicLong();
  private final RecentQueues declared;
  private final Map<Long, RemoteSource> sources = new ConcurrentHashMap<>();

  GrpcLink(GrpcEngine engine, EngineContext context) {
    this.context = context;
    this.patience = engine.connectTimeout();
    this.answers = new LinkAnswers(context.callbacks());
    this.connection = new LinkConnection(engine, context, this);
    this.sends = connection.sends();
    this.declared = new RecentQueues(WireMessages.nanos(context.sendTimeout()));
    this.requests = new LinkRequests(context, connection);
  }

  /** Connects, once. */
  void open() throws MessagingException {
    connection.open(patience);
  }

  /** Ids of frames are even; those of requests, which {@code Messaging} chooses, are odd. */
  private long nextId() {
    return ids.incrementAndGet() * 2;
  }

  private long deadline(Duration timeout) {
    return connection.deadline(timeout);
  }

  private long now() {
    return connection.clock().nanoTime();
  }

  /** Sends a frame that is answered. */
  CompletableFuture<Done> ask(LongFunction<ClientFrame> frame) {
    return submit(frame, nextId());
  }

  <T> CompletionStage<List<T>> list(
      LongFunction<ClientFrame> frame, Function<ServerFrame, T> item) {
    return answers.list(nextId(), item, id -> submit(frame, id));
  }

  CompletionStage<Done> select(LongFunction<ClientFrame> frame, Predicate<DeadLetter> which) {
    return answers.select(nextId(), which, id -> submit(frame, id));
  }

  private CompletableFuture<Done> submit(LongFunction<ClientFrame> frame, long id) {
    return sends.submit(Pending.of(frame.apply(id), deadline(context.sendTimeout())));
  }

  @Override
  public void prepare(Route route, Declaration declaration) throws MessagingException {
    if (route instanceof Route.Queue queue) {
      await(
          ask(id -> WireQueues.declare(id, queue, declaration)),
          "the declaration of " + queue.id());
      declared.add(queue, now());
    }
  }

  /** Waits for an answer, within a bound. */
  private void await(CompletableFuture<Done> answer, String what) throws MessagingException {
    long most = WireMessages.nanos(patience) + WireMessages.nanos(context.sendTimeout());
    try {
      answer.get(most, TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof MessagingException known) {
        throw known;
      }
      throw new ServerFailedException(String.valueOf(e.getCause()), true);
    } catch (TimeoutException e) {
      throw new BrokerAwayException(
          connection.where() + " did not answer " + what + " within " + Duration.ofNanos(most),
          e,
          true);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BrokerAwayException("interrupted while waiting for " + what, e, true);
    }
  }

  @Override
  public CompletionStage<Void> send(Route route, Message<byte[]> message) {
    Send.Builder send = Send.newBuilder().setMessage(WireMessages.of(message));
    if (route instanceof Route.Queue queue) {
      send.setQueue(queue.id());
      return declared.use(queue, now()) ? push(queue, send) : declareFirst(queue, send);
    }
    return send(send.setTopic(route.name())).thenApply(done -> null);
  }

  /** Declares a queue for the messages that follow; if that fails, the next one tries again. */
  private CompletionStage<Void> declareFirst(Route.Queue queue, Send.Builder send) {
    CompletableFuture<Done> declaring = ask(id -> WireQueues.declare(id, queue, Declaration.CHECK));
    declared.add(queue, now()); // after it is on its way: others may send now
    CompletionStage<Void> pushed = push(queue, send);
    return declaring
        .whenComplete((done, error) -> {
          if (error != null && !isOfConnection(error)) {
            declared.remove(queue);
          }
        })
        .thenCompose(done -> pushed);
  }

  /** Whether the server has not refused it: the next connection declares it again. */
  private static boolean isOfConnection(Throwable error) {
    return error instanceof BrokerAwayException || error instanceof QueueFullException;
  }

  private CompletionStage<Void> push(Route.Queue queue, Send.Builder send) {
    return send(send).handle((done, error) -> {
      if (error == null) {
        return null;
      }
      if (error instanceof MissingAddressException) {
        declared.remove(queue);
      }
      throw new CompletionException(error);
    });
  }

  private CompletableFuture<Done> send(Send.Builder send) {
    MessageTooLargeException tooLarge = connection.tooLarge(send.getMessage());
    return tooLarge != null
        ? CompletableFuture.failedFuture(tooLarge)
        : ask(id -> ClientFrame.newBuilder().setSend(send.setId(id)).build());
  }

  LinkConnection connection() {
    return connection;
  }

  @Override
  public boolean trySend(Route.Signal signal, Message<byte[]> message) {
    LinkSession session = connection.current();
    if (session == null || session.isStopping() || session.outbox.waitingBytes() > SIGNAL_BACKLOG) {
      return false;
    }
    dev.mullion.messaging.grpc.v1.Message wire = WireMessages.of(message);
    if (connection.tooLarge(wire) != null) {
      return false;
    }
    session.outbox.add(ClientFrame.newBuilder()
        .setSignal(Signal.newBuilder().setSignal(signal.name()).setMessage(wire))
        .build());
    return true;
  }

  @Override
  public CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout) {
    dev.mullion.messaging.grpc.v1.Message wire = WireMessages.of(message);
    MessageTooLargeException tooLarge = connection.tooLarge(wire);
    return tooLarge != null
        ? CompletableFuture.failedFuture(tooLarge)
        : requests.send(subject, id, wire, timeout);
  }

  @Override
  public void cancelRequest(Route.Subject subject, long id) {
    requests.cancel(id);
  }

  @Override
  public Source consume(Route route, ConsumerSettings settings, Sink sink)
      throws MessagingException {
    boolean isLive = route instanceof Route.Topic || route instanceof Route.Signal;
    if (isLive && settings.bufferBytes() != ConsumerSettings.DEFAULT_BUFFER_BYTES) {
      throw new UnsupportedSettingException("bufferBytes: " + settings.bufferBytes()
          + " (expected: " + ConsumerSettings.DEFAULT_BUFFER_BYTES
          + ", which is that of the server's buffers)");
    }
    RemoteSource source = new RemoteSource(ids.incrementAndGet(), this, route, settings, sink);
    sources.put(source.id, source);
    boolean started = false;
    try {
      CompletableFuture<Done> answer = sends.submit(subscribe(source));
      answer.thenRun(source::established);
      await(answer, "the subscription to " + route.name());
      started = true;
      return source;
    } finally {
      if (!started) {
        source.close();
      }
    }
  }

  private Pending subscribe(RemoteSource source) {
    long id = nextId();
    return new Pending(
        id,
        session -> source.subscribe(id, session),
        0,
        deadline(context.sendTimeout()),
        new CompletableFuture<>());
  }

  /** Returns whether a source was still known, and forgets it. */
  boolean forget(RemoteSource source) {
    return sources.remove(source.id, source);
  }

  CompletionStage<Void> extend(RemoteDelivery delivery, Duration time) {
    if (delivery.session.isOver()) {
      return CompletableFuture.failedFuture(new BrokerAwayException(
          "the connection was lost, and the message given back", null, false));
    }
    return ask(id -> ClientFrame.newBuilder()
            .setExtend(Extend.newBuilder()
                .setId(id)
                .setDelivery(delivery.frame.getDelivery())
                .setTime(WireMessages.of(time)))
            .build())
        .thenApply(done -> null);
  }

  @Override
  public DeadLetters deadLetters(Route.Queue queue) {
    return new RemoteDeadLetters(this, queue);
  }

  @Override
  public CompletionStage<List<QueueStatus>> queues() {
    return list(
        id -> ClientFrame.newBuilder()
            .setListQueues(ListQueues.newBuilder().setId(id))
            .build(),
        frame -> WireQueues.from(frame.getQueueStatus()));
  }

  @Override
  public CompletionStage<Void> delete(Route.Queue queue) {
    declared.remove(queue);
    return ask(id -> ClientFrame.newBuilder()
            .setDeleteQueue(DeleteQueue.newBuilder().setId(id).setQueue(WireQueues.of(queue)))
            .build())
        .thenApply(done -> null);
  }

  @Override
  public Health health() {
    return connection.health();
  }

  @Override
  public void close(Duration timeout) {
    connection.close(timeout);
  }

  /** Returns what a new connection begins with: declarations, then subscriptions. */
  List<Pending> restore() {
    List<Pending> first = new ArrayList<>();
    declared.recent(now()).forEach(queue -> {
      Pending declaring =
          Pending.of(WireQueues.declare(nextId(), queue, Declaration.CHECK), Long.MAX_VALUE);
      declaring.answer().whenComplete((done, error) -> {
        if (error != null && !(error instanceof BrokerAwayException)) {
          Logs.LOG.log(
              Logs.Event.DECLARATION,
              Level.WARNING,
              connection.where(),
              () -> "queue " + queue.id() + " is not as it was declared before the connection was"
                  + " lost",
              error);
        }
      });
      first.add(declaring);
    });
    sources.values().forEach(source -> {
      if (source.isToBeRestored()) {
        Pending subscribing = subscribe(source);
        subscribing.answer().whenComplete((done, error) -> notRestored(source, error));
        first.add(subscribing);
      }
    });
    return first;
  }

  private void notRestored(RemoteSource source, @Nullable Throwable error) {
    if (error instanceof MessagingException refused && !(error instanceof BrokerAwayException)) {
      forget(source);
      source.failed(refused);
    }
  }

  /** Takes a frame of the current session. */
  void frame(LinkSession session, ServerFrame frame) {
    switch (frame.getFrameCase()) {
      case DONE -> sends.done(session, frame.getDone());
      case DELIVER -> deliver(session, frame);
      case REPLY -> {
        sends.replied(session, frame.getReply().getId());
        requests.replied(frame.getReply());
      }
      case READY -> with(frame.getReady().getSubscription(), RemoteSource::becameReady);
      case DROPPED ->
        with(
            frame.getDropped().getSubscription(),
            source -> source.dropped(frame.getDropped().getMessages()));
      case ENDED -> ended(frame);
      case SIGNALS_DROPPED ->
        context
            .events()
            .dropped(
                new Route.Signal(frame.getSignalsDropped().getSignal()),
                frame.getSignalsDropped().getMessages());
      case LETTER -> answers.item(frame.getLetter().getId(), frame);
      case QUEUE_STATUS -> answers.item(frame.getQueueStatus().getId(), frame);
      case SELECT -> answers.selecting(session, frame.getSelect());
      default -> {}
    }
  }

  private void with(long source, Consumer<RemoteSource> action) {
    RemoteSource found = sources.get(source);
    if (found != null) {
      action.accept(found);
    }
  }

  private void deliver(LinkSession session, ServerFrame frame) {
    with(
        frame.getDeliver().getSubscription(),
        source -> source.deliver(session, frame.getDeliver()));
  }

  private void ended(ServerFrame frame) {
    if (frame.getEnded().hasError()) {
      RemoteSource source = sources.remove(frame.getEnded().getSubscription());
      if (source != null) {
        source.failed(WireErrors.from(frame.getEnded().getError()));
      }
    }
  }

  /** Ends the requests whose replies were lost with the connection. */
  void lost(String why) {
    requests.lost(why);
  }
}

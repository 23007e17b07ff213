package dev.mullion.messaging.grpc;

import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Error;
import dev.mullion.messaging.grpc.v1.ServerBatch;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Settled;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What is written to one client: answers, and what its other parts have for it. */
final class SessionAnswers implements Outbox.Source<ServerFrame> {
  final Outbox<ServerFrame, ServerBatch> outbox;
  final Window window;
  private final ServerSession session;
  private final Queue<FrameStream> lists = new ConcurrentLinkedQueue<>();
  private final PackedAnswers packed = new PackedAnswers();
  private volatile boolean packs;

  SessionAnswers(
      ServerSession session,
      ServerCallStreamObserver<ServerBatch> call,
      Consumer<Throwable> broken) {
    this.session = session;
    this.window = new Window(session.serving.limits);
    this.outbox = new Outbox<>(
        call,
        frames -> ServerBatch.newBuilder().addAllFrames(frames).build(),
        this,
        session.serving.executor,
        false,
        broken);
  }

  /** Sets whether the client understands answers to several frames in one. */
  void packs(boolean packs) {
    this.packs = packs;
  }

  /** Adds a frame, unless the client does not read: then it is disconnected. */
  void add(ServerFrame frame) {
    outbox.add(frame);
    checkBacklog();
  }

  /** Adds a frame on the thread of a replier, which may write it. */
  void addHere(ServerFrame frame) {
    outbox.addHere(frame);
    checkBacklog();
  }

  void addLazily(ServerFrame frame) {
    outbox.addLazily(frame);
    checkBacklog();
  }

  private void checkBacklog() {
    long waiting = outbox.waitingBytes() + packed.waitingBytes();
    long most = session.serving.limits.maxBacklog();
    if (waiting > most && !session.isOver()) {
      session.end(Status.RESOURCE_EXHAUSTED.withDescription("the client does not read: " + waiting
          + " bytes of answers wait for it (expected: <= " + most
          + ", the server's maxBacklog)"));
    }
  }

  void done(long id, @Nullable Error error) {
    answer(id, 0, error);
  }

  void done(Done done) {
    answered(0);
    add(ServerFrame.newBuilder().setDone(done).build());
  }

  /** Answers a frame that took this number of bytes of the window. */
  void answer(long id, int bytes, @Nullable Error error) {
    answered(bytes);
    Done.Builder done = Done.newBuilder().setId(id);
    if (error != null) {
      done.setError(error);
    }
    add(ServerFrame.newBuilder().setDone(done).build());
  }

  /** Answers a send that the engine has accepted. */
  void sent(long id, int bytes) {
    if (packs) {
      answered(bytes);
      packed.done(id);
      outbox.wake();
      checkBacklog();
    } else {
      answer(id, bytes, null);
    }
  }

  /** Tells the client, some milliseconds later perhaps, what became of an outcome. */
  void settled(long delivery, Settlement settlement) {
    if (packs && settlement == Settlement.APPLIED) {
      packed.applied(delivery);
      outbox.wakeLazily();
    } else {
      outbox.addLazily(ServerFrame.newBuilder()
          .setSettled(Settled.newBuilder()
              .setDelivery(delivery)
              .setSettlement(dev.mullion.messaging.grpc.v1.Settlement.valueOf(
                  "SETTLEMENT_" + settlement.name())))
          .build());
    }
    checkBacklog();
  }

  /** Counts an answer to a frame that took this number of bytes of the window. */
  void answered(int bytes) {
    window.free(bytes);
    session.checkDrained();
  }

  /** Sends a list; its last frame is the answer. */
  void list(FrameStream frames) {
    lists.add(frames);
    outbox.wake();
  }

  @Override
  public @Nullable ServerFrame answers() {
    return packed.poll();
  }

  @Override
  public boolean hasAnswers() {
    return !packed.isEmpty();
  }

  @Override
  public @Nullable ServerFrame next() {
    FrameStream list = lists.peek();
    ServerFrame frame = list == null ? null : list.poll();
    if (list == null || frame == null) {
      return session.deliveries.next();
    }
    if (list.isOver()) {
      lists.remove();
      answered(0);
    }
    return frame;
  }

  @Override
  public boolean hasNext() {
    return !lists.isEmpty() || session.deliveries.hasNext();
  }

  /** The client is gone: nobody waits for it to read. */
  void close() {
    lists.forEach(FrameStream::close);
  }
}

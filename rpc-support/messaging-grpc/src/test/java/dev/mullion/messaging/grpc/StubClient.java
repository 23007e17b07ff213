package dev.mullion.messaging.grpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.grpc.v1.Acknowledged;
import dev.mullion.messaging.grpc.v1.Begin;
import dev.mullion.messaging.grpc.v1.ClientBatch;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Credit;
import dev.mullion.messaging.grpc.v1.Deliver;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Hello;
import dev.mullion.messaging.grpc.v1.MessagingGrpc;
import dev.mullion.messaging.grpc.v1.Ping;
import dev.mullion.messaging.grpc.v1.Queue;
import dev.mullion.messaging.grpc.v1.ServerBatch;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Settle;
import dev.mullion.messaging.grpc.v1.Settlement;
import dev.mullion.messaging.grpc.v1.Subscribe;
import dev.mullion.messaging.grpc.v1.Unsubscribe;
import dev.mullion.rpc.RpcChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A client that sends any frames, also wrong ones. */
final class StubClient implements AutoCloseable {
  final CompletableFuture<Status> status = new CompletableFuture<>();
  private final LinkedBlockingQueue<ServerFrame> frames = new LinkedBlockingQueue<>();
  private final RpcChannel channel;
  private volatile @Nullable ClientCallStreamObserver<ClientBatch> call;

  private StubClient(int port, boolean reads) {
    this.channel = RpcChannel.builder().address("127.0.0.1", port).build();
    MessagingGrpc.newStub(channel).connect(new ClientResponseObserver<ClientBatch, ServerBatch>() {
      @Override
      public void beforeStart(ClientCallStreamObserver<ClientBatch> requests) {
        call = requests;
        requests.disableAutoRequestWithInitial(1);
      }

      @Override
      public void onNext(ServerBatch batch) {
        frames.addAll(batch.getFramesList());
        if (reads) {
          call().request(1);
        }
      }

      @Override
      public void onError(Throwable error) {
        status.complete(Status.fromThrowable(error));
      }

      @Override
      public void onCompleted() {
        status.complete(Status.OK);
      }
    });
  }

  /** Connects without a Hello. */
  static StubClient silent(MessagingServer server) {
    return new StubClient(server.port(), true);
  }

  /** Connects, and neither says nor reads anything. */
  static StubClient mute(MessagingServer server) {
    return new StubClient(server.port(), false);
  }

  /** Connects, and reads only the server's first batch. */
  static StubClient deaf(MessagingServer server) {
    StubClient client = new StubClient(server.port(), false);
    client.send(hello(1));
    client.expect(ServerFrame.FrameCase.WELCOME);
    return client;
  }

  static StubClient connect(MessagingServer server) {
    StubClient client = silent(server);
    client.send(hello(1));
    client.expect(ServerFrame.FrameCase.WELCOME);
    return client;
  }

  static ClientFrame.Builder hello(int version) {
    return frame().setHello(Hello.newBuilder().setVersion(version));
  }

  private ClientCallStreamObserver<ClientBatch> call() {
    return requireNonNull(call);
  }

  static ClientFrame.Builder frame() {
    return ClientFrame.newBuilder();
  }

  void send(ClientFrame.Builder... frames) {
    ClientBatch.Builder batch = ClientBatch.newBuilder();
    Arrays.stream(frames).forEach(batch::addFrames);
    call().onNext(batch.build());
  }

  /** Subscribes and waits until it is accepted. */
  void subscribe(long id, Consumer<Subscribe.Builder> settings) {
    send(subscription(id, settings));
    Done done = done();
    if (done.hasError()) {
      throw new AssertionError(done.getError());
    }
  }

  /** Subscribes to a queue with the defaults. */
  void pull(long id, String queue, int credit) {
    subscribe(id, wire -> wire.setQueue(Queue.newBuilder().setName(queue)).setCredit(credit));
  }

  static ClientFrame.Builder subscription(long id, Consumer<Subscribe.Builder> settings) {
    Subscribe.Builder subscribe = Subscribe.newBuilder().setId(id).setSubscription(id);
    settings.accept(subscribe);
    return frame().setSubscribe(subscribe);
  }

  void credit(long subscription, int messages) {
    send(
        frame().setCredit(Credit.newBuilder().setSubscription(subscription).setMessages(messages)));
  }

  void unsubscribe(long subscription, boolean giveBack) {
    send(frame()
        .setUnsubscribe(
            Unsubscribe.newBuilder().setSubscription(subscription).setGiveBack(giveBack)));
  }

  void begin(long delivery) {
    send(frame().setBegin(Begin.newBuilder().setDelivery(delivery)));
  }

  void acknowledge(long delivery) {
    settle(delivery, settle -> settle.setAcknowledged(Acknowledged.getDefaultInstance()));
  }

  void settle(long delivery, Consumer<Settle.Builder> outcome) {
    Settle.Builder settle = Settle.newBuilder().setDelivery(delivery);
    outcome.accept(settle);
    send(frame().setSettle(settle));
  }

  /** Returns the next frame of a kind; others are skipped. */
  ServerFrame expect(ServerFrame.FrameCase kind) {
    while (true) {
      ServerFrame frame;
      try {
        frame = frames.poll(10, TimeUnit.SECONDS);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      if (frame == null) {
        throw new AssertionError("no " + kind + "; status " + status.getNow(null));
      }
      if (frame.getFrameCase() == kind) {
        return frame;
      }
    }
  }

  Deliver delivery() {
    return expect(ServerFrame.FrameCase.DELIVER).getDeliver();
  }

  /** Returns the next delivery of a subscription; others are skipped. */
  Deliver expectFrom(long subscription) {
    Deliver next = delivery();
    while (next.getSubscription() != subscription) {
      next = delivery();
    }
    return next;
  }

  Done done() {
    return expect(ServerFrame.FrameCase.DONE).getDone();
  }

  Settlement settlement() {
    return expect(ServerFrame.FrameCase.SETTLED).getSettled().getSettlement();
  }

  /** Waits until the server has handled all frames that were sent. */
  void ping() {
    send(frame().setPing(Ping.getDefaultInstance()));
    expect(ServerFrame.FrameCase.PONG);
  }

  static String text(Deliver delivery) {
    return delivery.getMessage().getPayload().toStringUtf8();
  }

  /** Returns whether a frame of a kind is there already. */
  boolean has(ServerFrame.FrameCase kind) {
    return frames.stream().anyMatch(each -> each.getFrameCase() == kind);
  }

  Status status() {
    return Eventually.get("the end of the stream", status);
  }

  void complete() {
    call().onCompleted();
  }

  /** Loses the connection. */
  void cut() {
    channel.shutdownNow();
  }

  @Override
  public void close() {
    channel.shutdownNow();
    channel.close();
  }
}

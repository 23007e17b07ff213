package dev.mullion.messaging.grpc;

import dev.mullion.messaging.grpc.v1.ClientBatch;
import dev.mullion.messaging.grpc.v1.MessagingGrpc;
import dev.mullion.messaging.grpc.v1.ServerBatch;
import dev.mullion.rpc.EventLoops;
import dev.mullion.rpc.ReadySignal;
import dev.mullion.rpc.StopSignal;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;

/** The service of {@code messaging.proto}. */
final class MessagingService extends MessagingGrpc.MessagingImplBase {
  private final Serving serving;

  MessagingService(Serving serving) {
    this.serving = serving;
  }

  @Override
  public StreamObserver<ClientBatch> connect(StreamObserver<ServerBatch> observer) {
    ServerCallStreamObserver<ServerBatch> call = (ServerCallStreamObserver<ServerBatch>) observer;
    call.disableAutoRequest();
    call.setOnReadyThreshold(Outbox.UNWRITTEN);
    int clients = serving.clients.incrementAndGet();
    if (clients > serving.limits.maxClients()) {
      serving.clients.decrementAndGet();
      call.setOnCancelHandler(() -> {});
      call.onError(Status.RESOURCE_EXHAUSTED
          .withDescription("clients: " + serving.limits.maxClients()
              + " are connected (expected: fewer than maxClients)")
          .asRuntimeException());
      return new Ignored();
    }
    ServerSession session = open(call);
    call.setOnReadyHandler(session.answers.outbox::flush);
    ReadySignal.current().onReady(() -> {
      session.answers.outbox.loop(EventLoops.current());
      session.answers.outbox.flushAdded();
    });
    call.setOnCancelHandler(() -> session.finish(true));
    // Called at once too while the thread of the client's frames is busy.
    Context.current().addListener(over -> session.finish(true), session::execute);
    StopSignal.current().onGiven(session::stop);
    call.request(1);
    return session;
  }

  private ServerSession open(ServerCallStreamObserver<ServerBatch> call) {
    boolean opened = false;
    try {
      ServerSession session = new ServerSession(serving, call);
      serving.sessions.add(session);
      opened = true;
      return session;
    } finally {
      if (!opened) {
        serving.clients.decrementAndGet();
      }
    }
  }

  /** Frames of a client that was rejected. */
  private static final class Ignored implements StreamObserver<ClientBatch> {
    @Override
    public void onNext(ClientBatch batch) {}

    @Override
    public void onError(Throwable error) {}

    @Override
    public void onCompleted() {}
  }
}

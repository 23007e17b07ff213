package dev.mullion.messaging.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.mullion.messaging.grpc.v1.Deliver;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Message;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class FrameStreamTest {
  private static final ServerFrame LARGE = ServerFrame.newBuilder()
      .setDeliver(Deliver.newBuilder()
          .setMessage(Message.newBuilder().setPayload(ByteString.copyFrom(new byte[100 * 1024]))))
      .build();
  private static final ServerFrame DONE =
      ServerFrame.newBuilder().setDone(Done.newBuilder().setId(1)).build();

  @Test
  void writerWaitsUntilTheClientReads() {
    FrameStream stream = new FrameStream(Duration.ofSeconds(20));
    AtomicInteger written = new AtomicInteger();
    CompletableFuture<Void> all = CompletableFuture.runAsync(() -> {
      for (int i = 0; i < 10; i++) {
        stream.put(LARGE);
        written.incrementAndGet();
      }
      stream.end(DONE);
    });
    Eventually.isTrue("three", () -> written.get() == 3);
    for (int read = 0; read < 10; ) {
      assertThat(written.get() - read).isLessThanOrEqualTo(4);
      read += stream.poll() == null ? 0 : 1;
    }
    Eventually.get("all", all);
    assertThat(stream.isOver()).isFalse();
    assertThat(stream.poll()).isEqualTo(DONE);
    assertThat(stream.isOver()).isTrue();
  }

  @Test
  void writerDoesNotWaitForEver() {
    FrameStream stream = new FrameStream(Duration.ofMillis(50));
    assertThatThrownBy(() -> {
          while (true) {
            stream.put(LARGE);
          }
        })
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the client did not read a list within PT0.05S");
  }

  @Test
  void endOfTheClientEndsTheWait() {
    FrameStream stream = new FrameStream(Duration.ofSeconds(60));
    CompletableFuture<Void> writing = CompletableFuture.runAsync(() -> {
      while (true) {
        stream.put(LARGE);
      }
    });
    stream.close();
    assertThat(Eventually.failure("the end", writing)).hasMessage("the client is gone");
  }
}

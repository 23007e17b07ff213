package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.TruncatedFrameException;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Several threads that receive from one connection. One slept although a frame was there: it had
 * come in one read with a frame that another thread took.
 */
@Timeout(60)
class SeveralReceiversTest {
  private static final int RECEIVERS = 4;
  private static final int ROUNDS = 1000;

  private final Queue<Integer> received = new ConcurrentLinkedQueue<>();
  private final Queue<Thread> threads = new ConcurrentLinkedQueue<>();
  private final Queue<Throwable> ends = new ConcurrentLinkedQueue<>();

  private List<CompletableFuture<Void>> receivers(FramedConnection connection, boolean patient) {
    List<CompletableFuture<Void>> all = new ArrayList<>();
    for (int i = 0; i < RECEIVERS; i++) {
      all.add(Threads.run(() -> {
        threads.add(Thread.currentThread());
        boolean more = true;
        while (more) {
          more = receive(connection, patient);
        }
      }));
    }
    return all;
  }

  private boolean receive(FramedConnection connection, boolean patient) {
    try {
      byte[] frame = patient ? connection.receive() : connection.receive(Duration.ofMillis(1));
      if (frame != null) {
        received.add(ByteBuffer.wrap(frame).getInt());
      }
      return frame != null;
    } catch (SocketTimeoutException e) {
      return true;
    } catch (InterruptedIOException e) {
      Thread.interrupted();
      return true;
    } catch (IOException e) {
      ends.add(e);
      return false;
    }
  }

  /** In each round no more frames come before all are taken. */
  @Test
  void noFrameLiesThereWhileSomebodyWaits() throws Exception {
    Random random = new Random(1);
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        FramedClient client = FramedClient.connect("127.0.0.1", listener.getLocalPort());
        Socket peer = listener.accept()) {
      peer.setTcpNoDelay(true);
      OutputStream out = peer.getOutputStream();
      List<CompletableFuture<Void>> all = receivers(client.connection(), true);
      int number = 0;
      for (int round = 0; round < ROUNDS; round++) {
        int frames = 1 + random.nextInt(2 * RECEIVERS);
        out.write(frames(number, frames, random.nextBoolean() ? 0 : 3));
        number += frames;
        int expected = number;
        Await.until("all are taken", () -> received.size() == expected);
      }
      peer.shutdownOutput();

      for (CompletableFuture<Void> each : all) {
        each.get(20, TimeUnit.SECONDS);
      }
      assertThat(ends).isEmpty();
      assertThat(received).doesNotHaveDuplicates();
    }
  }

  private static byte[] frames(int first, int count, int padding) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    FrameWriter writer = FrameWriter.of(bytes, FrameFormat.defaults());
    for (int i = 0; i < count; i++) {
      writer.write(ByteBuffer.allocate(4 + padding).putInt(first + i).array());
    }
    writer.flush();
    return bytes.toByteArray();
  }

  /** Whoever is interrupted, or waits no longer, takes no frame away with him. */
  @Test
  void impatientReceiversLoseNothing() throws Exception {
    Random random = new Random(2);
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        FramedClient client = FramedClient.connect("127.0.0.1", listener.getLocalPort());
        Socket peer = listener.accept()) {
      List<CompletableFuture<Void>> all = receivers(client.connection(), true);
      all.addAll(receivers(client.connection(), false));
      int number = 0;
      for (int round = 0; round < ROUNDS; round++) {
        int frames = 1 + random.nextInt(20);
        peer.getOutputStream().write(frames(number, frames, 0));
        number += frames;
        for (Thread thread : threads) {
          if (random.nextInt(10) == 0) {
            thread.interrupt();
          }
        }
      }
      int expected = number;
      Await.until("all are taken", () -> received.size() == expected);
      peer.shutdownOutput();

      for (CompletableFuture<Void> each : all) {
        each.get(20, TimeUnit.SECONDS);
      }
      assertThat(received).doesNotHaveDuplicates();
    }
  }

  @Test
  void eachIsToldOfTheError() throws Exception {
    try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        FramedClient client = FramedClient.connect("127.0.0.1", listener.getLocalPort());
        Socket peer = listener.accept()) {
      List<CompletableFuture<Void>> all = receivers(client.connection(), true);
      peer.getOutputStream().write(new byte[] {0, 0, 0, 9, 1});
      peer.shutdownOutput();

      for (CompletableFuture<Void> each : all) {
        each.get(20, TimeUnit.SECONDS);
      }
      assertThat(ends).hasSize(RECEIVERS);
      assertThat(ends).hasOnlyElementsOfType(TruncatedFrameException.class);
      assertThatThrownBy(() -> client.connection().receive())
          .isInstanceOf(TruncatedFrameException.class);
    }
  }
}

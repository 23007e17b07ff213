package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;

/** A reader and a writer at both ends of a socket on the loopback device. */
class SocketStreamsTest {
  private static final FrameFormat FORMAT = FrameFormat.netstring();
  private static final long SEED = 7;

  private final List<byte[]> frames = new ArrayList<>();

  SocketStreamsTest() {
    Random random = new Random(SEED);
    for (int i = 0; i < 200; i++) {
      byte[] frame = new byte[random.nextInt(i % 20 == 0 ? 300_000 : 300)];
      random.nextBytes(frame);
      frames.add(frame);
    }
  }

  /** Reads up to the end, and only then sends everything back. */
  private static int echo(ServerSocket server) throws IOException {
    try (Socket socket = server.accept();
        FrameReader reader = FrameReader.of(socket.getInputStream(), FORMAT);
        FrameWriter writer = FrameWriter.of(socket.getOutputStream(), FORMAT)) {
      List<byte[]> received = readAll(reader);
      for (byte[] frame : received) {
        writer.write(frame);
      }
      return received.size();
    }
  }

  private static List<byte[]> readAll(FrameReader reader) throws IOException {
    List<byte[]> received = new ArrayList<>();
    byte[] frame = reader.read();
    while (frame != null) {
      received.add(frame);
      frame = reader.read();
    }
    return received;
  }

  private List<byte[]> exchange(FrameReader reader, FrameWriter writer, Ending end)
      throws IOException {
    for (byte[] frame : frames) {
      writer.write(frame);
    }
    writer.flush();
    end.shutdownOutput();
    return readAll(reader);
  }

  private interface Ending {
    void shutdownOutput() throws IOException;
  }

  private interface Client {
    List<byte[]> run(InetSocketAddress server) throws IOException;
  }

  private void check(Client client)
      throws IOException, ExecutionException, InterruptedException, TimeoutException {
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      FutureTask<Integer> echo = new FutureTask<>(() -> echo(server));
      Thread thread = new Thread(echo, "echo");
      thread.setDaemon(true);
      thread.start();

      List<byte[]> received =
          client.run(new InetSocketAddress(server.getInetAddress(), server.getLocalPort()));

      assertThat(Wire.hex(received)).as("seed %s", SEED).isEqualTo(Wire.hex(frames));
      assertThat(echo.get(20, TimeUnit.SECONDS)).isEqualTo(frames.size());
    }
  }

  @Test
  void framesPassThroughStreams() throws Exception {
    check(server -> {
      try (Socket socket = new Socket(server.getAddress(), server.getPort());
          FrameReader reader = FrameReader.of(socket.getInputStream(), FORMAT);
          FrameWriter writer = FrameWriter.of(socket.getOutputStream(), FORMAT)) {
        return exchange(reader, writer, socket::shutdownOutput);
      }
    });
  }

  @Test
  void framesPassThroughChannels() throws Exception {
    check(server -> {
      try (SocketChannel channel = SocketChannel.open(server);
          FrameReader reader = FrameReader.of(channel, FORMAT);
          FrameWriter writer = FrameWriter.of(channel, FORMAT)) {
        return exchange(reader, writer, channel::shutdownOutput);
      }
    });
  }
}

package dev.mullion.framing.benchmark;

import dev.mullion.framing.testing.comparison.LoadMeter;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/**
 * Asks one of the {@link RequestClients} for requests, sends their bytes back, and counts them. It
 * takes {@code <port> <client's process> <warm-up> <measured time> <in flight> <payload>}, with
 * times in nanoseconds.
 */
public final class RequestLoad {
  private static final int READ = 256 * 1024;

  private RequestLoad() {}

  /** Prints what it has measured. */
  public static void main(String[] arguments) throws IOException {
    LoadMeter meter = LoadMeter.of(arguments);
    int size = Integer.parseInt(arguments[5]);
    InetAddress here = InetAddress.getLoopbackAddress();
    try (ServerSocketChannel server =
            ServerSocketChannel.open().bind(new InetSocketAddress(here, 0));
        Socket control = new Socket(here, Integer.parseInt(arguments[0]))) {
      DataOutputStream asked = new DataOutputStream(control.getOutputStream());
      asked.writeInt(server.socket().getLocalPort());
      asked.writeInt(Integer.parseInt(arguments[4]));
      asked.writeInt(size);
      asked.flush();
      try (SocketChannel channel = server.accept()) {
        echo(meter, channel, Integer.BYTES + size);
      }
    }
    System.out.println(meter.result());
  }

  private static void echo(LoadMeter meter, SocketChannel channel, int frame) throws IOException {
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    ByteBuffer bytes = ByteBuffer.allocateDirect(READ);
    long sentBack = 0;
    while (!meter.isOver(sentBack / frame)) {
      if (channel.read(bytes.clear()) < 0) {
        throw new IOException("the client closed the connection");
      }
      bytes.flip();
      while (bytes.hasRemaining()) {
        sentBack += channel.write(bytes);
      }
    }
  }
}

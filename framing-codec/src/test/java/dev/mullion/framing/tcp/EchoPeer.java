package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameWriter;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import org.jspecify.annotations.Nullable;

/**
 * A peer of the server over a real socket, of one thread, or of one that sends and one that reads.
 */
final class EchoPeer implements AutoCloseable {
  private static final int TIMEOUT_MILLIS = 20_000;

  final Socket socket;
  private final FrameReader reader;
  private final FrameWriter writer;

  private EchoPeer(Socket socket, InetSocketAddress address, FrameFormat format)
      throws IOException {
    this.socket = socket;
    socket.connect(address, TIMEOUT_MILLIS);
    socket.setSoTimeout(TIMEOUT_MILLIS);
    socket.setTcpNoDelay(true);
    reader = FrameReader.of(socket.getInputStream(), format);
    writer = FrameWriter.of(new BufferedOutputStream(socket.getOutputStream()), format);
  }

  static EchoPeer of(EchoServer server) throws IOException {
    return of(server, FrameFormat.defaults());
  }

  static EchoPeer of(EchoServer server, FrameFormat format) throws IOException {
    return new EchoPeer(new Socket(), server.address(), format);
  }

  static EchoPeer of(FramedServer server) throws IOException {
    return of(server, FrameFormat.defaults());
  }

  static EchoPeer of(FramedServer server, FrameFormat format) throws IOException {
    return new EchoPeer(new Socket(), (InetSocketAddress) server.address(), format);
  }

  /** Returns one whose socket the caller has made, for TLS. */
  static EchoPeer of(FramedServer server, Socket socket) throws IOException {
    return new EchoPeer(socket, (InetSocketAddress) server.address(), FrameFormat.defaults());
  }

  /** Where the server sees this peer. */
  String address() {
    return "/127.0.0.1:" + socket.getLocalPort();
  }

  EchoPeer send(byte[]... frames) throws IOException {
    for (byte[] frame : frames) {
      writer.write(frame);
    }
    writer.flush();
    return this;
  }

  /** Sends bytes as they are. */
  EchoPeer write(int... bytes) throws IOException {
    byte[] raw = new byte[bytes.length];
    for (int i = 0; i < raw.length; i++) {
      raw[i] = (byte) bytes[i];
    }
    socket.getOutputStream().write(raw);
    return this;
  }

  byte @Nullable [] receive() throws IOException {
    return reader.read();
  }

  /** Sends a frame and expects it back. */
  EchoPeer echo(byte... frame) throws IOException {
    send(frame);
    assertThat(receive()).isEqualTo(frame);
    return this;
  }

  /** Ends the sending side. */
  EchoPeer halfClose() throws IOException {
    socket.shutdownOutput();
    return this;
  }

  /** Ends the connection so that the other end sees a reset. */
  void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  /** Waits until the server has closed the connection, cleanly or not, with no frame left. */
  void expectClosed() throws IOException {
    try {
      assertThat(receive()).isNull();
    } catch (SocketException reset) {
      assertThat(reset).hasMessageContaining("reset");
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}

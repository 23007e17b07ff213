package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.grpc.Status;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersDecoder;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.URLDecoder;
import java.util.Map;

/** HTTP/2 by hand, for what no library does: one side of a connection. */
final class Http2Frames implements Closeable {
  static final int DATA = 0;
  static final int HEADERS = 1;
  static final int RST_STREAM = 3;
  static final int SETTINGS = 4;
  static final int PING = 6;
  static final int GOAWAY = 7;
  static final int WINDOW_UPDATE = 8;
  static final int CONTINUATION = 9;

  static final int END_STREAM = 1;
  static final int ACK = 1;
  static final int END_HEADERS = 4;

  private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII);

  private final Socket socket;
  private final DataInputStream in;
  private final DataOutputStream out;

  /** A frame from the other side. */
  @SuppressWarnings("ArrayRecordComponent") // None is compared.
  record Frame(int type, int flags, int stream, byte[] payload) {
    boolean endsStream() {
      return (type == DATA || type == HEADERS) && (flags & END_STREAM) != 0;
    }
  }

  /** Why the other side ends the connection. */
  record GoAway(int errorCode, String debugData) {}

  Http2Frames(Socket socket) throws IOException {
    this.socket = socket;
    socket.setSoTimeout(20_000);
    // Else a second small frame would wait for the answer of a peer that delays it by 40 ms.
    socket.setTcpNoDelay(true);
    in = new DataInputStream(socket.getInputStream());
    out = new DataOutputStream(socket.getOutputStream());
  }

  void sendPreface() throws IOException {
    out.write(PREFACE);
  }

  void readPreface() throws IOException {
    in.readFully(new byte[PREFACE.length]);
  }

  void send(int type, int flags, int stream, byte... payload) throws IOException {
    out.writeByte(payload.length >> 16);
    out.writeShort(payload.length);
    out.writeByte(type);
    out.writeByte(flags);
    out.writeInt(stream);
    out.write(payload);
    out.flush();
  }

  /** Sends the headers of a call, without the end of its stream. */
  void sendCall(int stream, String path) throws IOException {
    sendCall(stream, path, Map.of());
  }

  /** Sends the headers of a call, and more of them, without the end of its stream. */
  void sendCall(int stream, String path, Map<String, String> more) throws IOException {
    ByteArrayOutputStream headers = new ByteArrayOutputStream();
    headers.write(0x83); // :method: POST
    headers.write(0x86); // :scheme: http
    headers.write(0x04); // :path
    text(headers, path);
    headers.write(0x01); // :authority
    text(headers, "localhost");
    headers.write(0x00);
    text(headers, "te");
    text(headers, "trailers");
    headers.write(0x00);
    text(headers, "content-type");
    text(headers, "application/grpc");
    literals(headers, more);
    send(HEADERS, END_HEADERS, stream, headers.toByteArray());
  }

  /** Sends the headers of a reply, or with the end of its stream its trailers. */
  void sendReply(int stream, int flags, Map<String, String> headers) throws IOException {
    ByteArrayOutputStream encoded = new ByteArrayOutputStream();
    if ((flags & END_STREAM) == 0) {
      encoded.write(0x88); // :status: 200
    }
    literals(encoded, headers);
    send(HEADERS, END_HEADERS | flags, stream, encoded.toByteArray());
  }

  private static void literals(ByteArrayOutputStream to, Map<String, String> headers)
      throws IOException {
    for (Map.Entry<String, String> each : headers.entrySet()) {
      to.write(0x00);
      text(to, each.getKey());
      text(to, each.getValue());
    }
  }

  /** Reads until a call has ended, and returns its code and text. */
  String readStatus() throws Exception {
    Http2HeadersDecoder decoder = new DefaultHttp2HeadersDecoder(false);
    while (true) {
      Http2Headers headers = decoder.decodeHeaders(1, Unpooled.wrappedBuffer(read(HEADERS)));
      CharSequence code = headers.get("grpc-status");
      if (code != null) {
        CharSequence text = headers.get("grpc-message");
        return Status.fromCodeValue(Integer.parseInt(code.toString())).getCode()
            + ": "
            + (text == null ? null : URLDecoder.decode(text.toString(), US_ASCII));
      }
    }
  }

  /** Sends headers as they are given, names and values in turn. */
  void sendHeaders(int stream, int flags, String... headers) throws IOException {
    send(HEADERS, flags, stream, literal(headers));
  }

  static byte[] literal(String... headers) throws IOException {
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    for (int i = 0; i < headers.length; i += 2) {
      block.write(0x00);
      longText(block, headers[i]);
      longText(block, headers[i + 1]);
    }
    return block.toByteArray();
  }

  /** An integer of HPACK has 7 bits in its first byte. */
  private static void longText(ByteArrayOutputStream to, String text) throws IOException {
    int length = text.length();
    if (length < 127) {
      to.write(length);
    } else {
      to.write(127);
      for (length -= 127; length >= 128; length >>= 7) {
        to.write((length & 127) | 128);
      }
      to.write(length);
    }
    to.write(text.getBytes(US_ASCII));
  }

  private static void text(ByteArrayOutputStream to, String text) throws IOException {
    to.write(text.length());
    to.write(text.getBytes(US_ASCII));
  }

  GoAway readGoAway() throws IOException {
    byte[] payload = read(GOAWAY);
    return new GoAway(payload[7], new String(payload, 8, payload.length - 8, US_ASCII));
  }

  /** Reads until there is a frame of this type, and returns its payload. */
  byte[] read(int wanted) throws IOException {
    while (true) {
      Frame frame = next();
      if (frame.type() == wanted) {
        return frame.payload();
      }
    }
  }

  Frame next() throws IOException {
    int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
    int type = in.readUnsignedByte();
    int flags = in.readUnsignedByte();
    int stream = in.readInt();
    byte[] payload = new byte[length];
    in.readFully(payload);
    return new Frame(type, flags, stream, payload);
  }

  /** Waits until the other side has seen all that was sent, or has ended the connection. */
  void awaitSeen() throws IOException {
    try {
      send(PING, 0, 0, new byte[8]);
      Frame frame = next();
      while (frame.type() != PING || frame.flags() != ACK) {
        frame = next();
      }
    } catch (EOFException | SocketException ended) {
      // All the same.
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}

package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;

/** Bytes written as hex text, in which spaces only help the eye. */
final class TestBytes {
  private TestBytes() {}

  static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex.replace(" ", ""));
  }

  static String hex(ByteBuf bytes) {
    return hex(ByteBufUtil.getBytes(bytes));
  }

  static String hex(byte[] bytes) {
    return HexFormat.of().withUpperCase().formatHex(bytes);
  }

  /** A buffer like one that a socket is read into, which the leak detector counts. */
  static ByteBuf read(byte... bytes) {
    return ByteBufAllocator.DEFAULT.directBuffer(Math.max(1, bytes.length)).writeBytes(bytes);
  }

  static ByteBuf read(String hex) {
    return read(bytes(hex));
  }

  static byte[] random(int length, long seed) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** The frames as they stand on the wire. */
  static byte[] wire(FrameFormat format, byte[]... frames) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (FrameWriter writer = FrameWriter.of(out, format)) {
      for (byte[] frame : frames) {
        writer.write(frame);
      }
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return out.toByteArray();
  }

  /** The same bytes in one piece, byte by byte, and cut in two at each offset. */
  static List<List<byte[]>> deliveries(byte[] wire) {
    List<List<byte[]>> all = new ArrayList<>();
    all.add(List.of(wire));
    all.add(pieces(wire, 1));
    for (int cut = 1; cut < wire.length; cut++) {
      all.add(List.of(Arrays.copyOf(wire, cut), Arrays.copyOfRange(wire, cut, wire.length)));
    }
    return all;
  }

  static List<byte[]> pieces(byte[] wire, int size) {
    List<byte[]> pieces = new ArrayList<>();
    for (int at = 0; at < wire.length; at += size) {
      pieces.add(Arrays.copyOfRange(wire, at, Math.min(wire.length, at + size)));
    }
    return pieces;
  }
}

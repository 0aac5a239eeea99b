import { describe, expect, test } from "vitest";
import { formatHostPort, parseHostPort } from "../../../host-port.js";
import { advertisedAddress } from "./advertise.js";

const registryAt = (host: string) => ({ localAddress: async () => host });
const bound = (host: string) => ({ host, port: 50051 });

describe("advertise: auto", () => {
  test("is the local end of the connection to the registry when the server listens on all addresses", async () => {
    expect(await advertisedAddress("auto", bound("0.0.0.0"), registryAt("10.1.2.3"))).toBe("10.1.2.3:50051");
    expect(await advertisedAddress("auto", bound("::"), registryAt("fd00::7"))).toBe("[fd00::7]:50051");
    expect(await advertisedAddress("auto", bound("::"), registryAt("::ffff:10.1.2.3"))).toBe("10.1.2.3:50051");
  });

  test("is loopback when the registry is on loopback", async () => {
    expect(await advertisedAddress("auto", bound("0.0.0.0"), registryAt("127.0.0.1"))).toBe("127.0.0.1:50051");
  });

  test("is the host that the server listens on when that is one", async () => {
    expect(await advertisedAddress("auto", bound("10.9.9.9"), registryAt("10.1.2.3"))).toBe("10.9.9.9:50051");
    expect(await advertisedAddress("auto", bound("127.0.0.2"), registryAt("127.0.0.1"))).toBe("127.0.0.2:50051");
  });

  test("needs help with a registry that is not reached over a network", async () => {
    await expect(advertisedAddress("auto", bound("0.0.0.0"), {})).rejects.toThrow("set advertise to host:port");
    expect(await advertisedAddress("auto", bound("127.0.0.1"), {})).toBe("127.0.0.1:50051");
  });
});

describe("an advertised address", () => {
  test("is taken as it is", async () => {
    const address = await advertisedAddress("book-1.internal:443", bound("0.0.0.0"), registryAt("10.1.2.3"));
    expect(address).toBe("book-1.internal:443");
  });

  test.each(["0.0.0.0:50051", "[::]:50051", "[0:0:0:0:0:0:0:0]:50051", "10.0.0.1:0"])(
    "is refused when nobody can connect to it: %s",
    async (advertise) => {
      const address = advertisedAddress(advertise, bound("0.0.0.0"), registryAt("10.1.2.3"));
      await expect(address).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: /such as 10\.0\.0\.1:50051/ });
    },
  );

  test.each(["127.0.0.1", "127.8.8.8", "localhost"])(
    "on loopback is refused when the registry is elsewhere: %s",
    async (host) => {
      const remedy = { code: "INVALID_ARGUMENT", message: /listen on 0\.0\.0\.0:50051, or set advertise/ };
      await expect(advertisedAddress("auto", bound(host), registryAt("10.1.2.3"))).rejects.toMatchObject(remedy);
      const explicit = advertisedAddress(`${host}:50051`, bound("0.0.0.0"), registryAt("10.1.2.3"));
      await expect(explicit).rejects.toMatchObject(remedy);
    },
  );

  test("on IPv6 loopback is refused too", async () => {
    await expect(advertisedAddress("[::1]:50051", bound("::"), registryAt("10.1.2.3"))).rejects.toThrow("this machine");
  });
});

describe("host:port", () => {
  test.each(["10.0.0.1:50051", "[fd00::1]:1", "book.internal:65535"])("is read and written back: %s", (text) => {
    expect(formatHostPort(parseHostPort(text, "listen"))).toBe(text);
  });

  test.each(["50051", ":50051", "10.0.0.1", "fd00::1:50051", "[10.0.0.1]:1", "a:65536", "a:b", ""])(
    "is refused with an example: %s",
    (text) => {
      expect(() => parseHostPort(text, "listen")).toThrow(/listen is ".*" and must be host:port.*10\.0\.0\.1:50051/);
    },
  );
});

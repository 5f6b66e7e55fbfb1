/** Bytes of a genuine capture and independently computed keys, frames and codes, for end-to-end encryption. */

const hex = (...parts: string[]): Buffer => Buffer.from(parts.join("").replace(/\s/g, ""), "hex");

/** Sender keys of user 158049329150427136. */
export const keys = {
  exporterSecret: hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
  userId: "158049329150427136",
  derived: hex("68cab37b5d00cf2168cdfad9653063aae7060f614d696baa3fdc427a42c862dd"),
  base: hex("5607df3dd8b01e10851ce63ba296eeb4"),
  generations: [
    [0, "7981b343d622713c78b5d2b4c655041c"],
    [1, "a7462517e733ee4c2504a04aeb8967d7"],
    [2, "3effd8ef0126f75c6c2d986292049068"],
    [255, "08d4caeaf2ffd716bf047bf5fdbcfd13"],
    [256, "8c30dcb5b7fc610ddf9e2a659f5c18eb"],
  ] as const,
};

/** Frames of one plaintext under `keys.base`: nonce, generation, bytes. */
export const plaintext = hex("78aabbccddeeff00112233445566778899");
export const frames: readonly (readonly [number, number, string])[] = [
  [1, 0, "a94cae0446fe58e0a24c9fe3c234be755f6c26e1c0822f2d15010cfafa"],
  [128, 0, "2931bbae76121338cfcc1599e4dc230d23d85349beeca5a3dd80010dfafa"],
  [300, 0, "4d6d7d7491cc6746c943ae35249647c2ffecbba97fb881e13fac020dfafa"],
  [0x0100_0000, 1, "8df40a12a0fb7b73ecff97608f13409d3888d20442e4b6e72b808080080ffafa"],
  [0xffff_ffff, 255, "c70047e7b9513b394a0e08d70934db3c0241a02162b422ca9effffffff0f10fafa"],
  [0, 256, "b643724205a9c64cc0701242f4896161912f5674e538541270000cfafa"],
];

/** One Add proposal, from the external sender's key to a founder's commit. */
export const capture = {
  channelId: "927310423890473011",
  addedUserId: "158533742254751744",
  privateKey: hex("902ed0f6e25d6533fa1885ff5c41af13982aa123e008b85ae2bc0a976ed28d70"),
  externalSender: hex(`
    404104494766fbb8f464417f4d95e02f0b08aea761df48f78bdc1a7ea0e2fb73e7783c8548c8a6b57847a8d7b44106ade8
    a62fcd402c2c95e44ef285a2eecd3f1e752700010100`),
  keyPackage: hex(`
    000100024041049a6c41b969283cde2fb585a40fd97e94d315ea35fafc2a51370099524f614a91e951438f5ce2038962c0
    123d3f04c2d7ec57fc96b61c0566bd17ba505d96d77c40410420f1fe846d509902487fe552761d1b342316d735a3f48efd
    8d7a78c2b63bcc0b79c755cdf664a3619ecd8f94438458cd67394e1dbf3d6efa60f3c788766af7ef4041047705ae6e9856
    64c1969bbf57306b480ee57d1539d7256287a942a5bbfd0a13a261502be2ca223695ea66f8a8114b53ae295bfe24110a21
    a83fc87b676032813c00010802333999400200000200010200020000020001010000000000000000ffffffffffffffff00
    404730450221009966cbeb4bb7bb9a5782d135cf67e9fa70024d9679fb606fc1030f4015817a22022035496d79dd649aa4
    0e12b12edf47706c9bd41fd0c3aba7d2d56c6d83cf839bbb0040483046022100ad8c5a11531bc6a0adeebec2843a10e458
    a9502a6d0ab5afff8486360d5d9078022100a5dcf3ddd208a8b35ce93fad69589aac7521158eab3be7ecd0ae57ac63ad71
    c0`),
  keyPackageRef: hex("8992bce764ce214204fcb9de5e0fe592c56f4aa8543d7b8909100a9c253b0020"),
  signature: hex(`
    304502207f5ccdfaadf04e61f07f0421357e6a654eb88a3cc44ecb770022b9edf96a5222022100ccad47a6687cd4b841
    a69e0c548a64e624b7f3e8e84550cc49ccd9444cfb008a`),
  proposalRef: hex("50b951e44d94ed377ce2b624399c1d6c3792e571ffb1a534c30c235ade3254e7"),
  commit: hex(`
    00010001080cde77eadc82303300000000000000000100000000000322022050b951e44d94ed377ce2b624399c1d6c3792e571
    ffb1a534c30c235ade3254e70040463044022041c92a41cb72774098ae8661c7051892d4c1254768a9cd9614f2992cb740c38f
    02200ef4cb8e753f5139dae47dc523805d2807cbd92640bbd8b9705db4c275cdd9c4204eed522cc06c893fffbf4afd4c93b7ff
    fffcec7611484db87dd639629ae231e620c71bd74efafdff3bc162ac8e14fafad568f1c8f47b17de3a3b309d910687cc49`),
};

/** The message of the captured Add as it went over the wire. */
export const capturedAdd = Buffer.concat([
  hex("0001 0001 08 0cde77eadc823033 0000000000000000 02 00000000 00 02 0001"),
  capture.keyPackage,
  hex("4047"),
  capture.signature,
]);

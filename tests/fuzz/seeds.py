#!/usr/bin/python3
"""Writes the seeds of the corpora: small valid files of every kind, named seed_*, and files damaged on purpose, named
after what is wrong with them. What a fuzzer found lies beside them under names of the same form.

    tests/fuzz/seeds.py VIDA        VIDA: the program, whose examples are the seeds of configurations
"""
import gzip
import json
import pathlib
import struct
import subprocess
import sys
import zlib

import netCDF4
import numpy

corpus = pathlib.Path(__file__).parent / "corpus"
numbers = numpy.random.default_rng(0)


def write(target, name, content, prefix="seed_"):
    path = corpus / target / f"{prefix}{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def safetensors(tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, array in tensors.items():
        begin, data = len(data), data + array.tobytes()
        kind = {"float32": "F32", "float64": "F64"}[str(array.dtype)]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def flow(problems=(), dtype="float32"):
    """Dimension 2, two layers, three hidden units, one hidden layer."""
    shapes = {"0.weight": (3, 1), "0.bias": (3,), "1.weight": (1, 3), "1.bias": (1,)}
    return {f"params.layers.{layer}.{net}.{part}": numbers.normal(size=(*problems, *shape)).astype(dtype)
            for layer in range(2) for net in ("scale", "shift") for part, shape in shapes.items()}


def inpainting(**changed):
    """Images of 2 x 2 pixels whose upper row is unknown."""
    shapes = {"encoder.0.weight": (2, 2), "encoder.0.bias": (2,), "encoder.1.weight": (1, 2), "encoder.1.bias": (1,),
              "head.0.weight": (2, 1), "head.0.bias": (2,),
              "params.layers.0.0.weight": (1, 2), "params.layers.0.0.bias": (1,),
              "params.layers.0.1.weight": (5, 1), "params.layers.0.1.bias": (5,),
              "classifier.0.weight": (1, 4), "classifier.0.bias": (1,), "classifier.1.weight": (1, 1),
              "classifier.1.bias": (1,), "classifier.2.weight": (2, 1), "classifier.2.bias": (2,)}
    tensors = {name: numbers.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    rising = numpy.tile(numpy.arange(257) / 256, (2, 1))
    tensors |= {"pixel_map.lower": rising, "pixel_map.upper": 1 - rising, "pixel_map.mean": numpy.zeros(2),
                "pixel_map.deviation": numpy.ones(2)}
    shape = dict(rows=2, columns=2, top=0, left=0, height=1, width=2, encoder=2, features=1, layers=1, hidden=1, depth=1,
                 components=1, classifier_first=1, classifier_second=1, classes=2, scale_limit=2) | changed
    return safetensors(tensors, {"format": "vida-inpainting"} | {key: str(value) for key, value in shape.items()})


def netcdf(variables, form="NETCDF4", fill=None, **options):
    path = corpus / "seed.nc"
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.configuration = 'job = "learn-gain"'
        for name, values in variables.items():
            values = numpy.asarray(values)
            for size in values.shape:
                if f"d{size}" not in file.dimensions:
                    file.createDimension(f"d{size}", size)
            variable = file.createVariable(name, values.dtype, [f"d{size}" for size in values.shape], fill_value=fill,
                                           **options)
            variable[...] = values
            variable.units = "1"
    content = path.read_bytes()
    path.unlink()
    return content


def data_variables(batch=()):
    y = numbers.normal(size=(*batch, 3, 2))
    y[..., 1, 0] = numpy.nan
    return {"y": y, "H": numpy.eye(2, 4), "R": numpy.eye(2), "Q": 0.1 * numpy.eye(4), "m0": numpy.zeros(4),
            "C0": numpy.eye(4), "F": 8.0, "dt": 0.05, "steps_per_cycle": numpy.int32(1)}


def without_records():
    """K and Q along axes that may grow and have not: no number, but any number of matrices."""
    path = corpus / "seed.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("many", 1 << 40)
        file.createDimension("none", None)
        for name in ("K", "Q"):
            file.createVariable(name, "f8", ("many", "none", "none"))
        file.createDimension("one", 1)
        file.createVariable("y", "f8", ("one", "one"))[...] = 0
    content = path.read_bytes()
    path.unlink()
    return content


def fill_of_four_numbers():
    """The library refuses to write that, but a name of the same length can be put in place of another."""
    path = corpus / "seed.nc"
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("one", 1)
        variable = file.createVariable("y", "f8", ("one", "one"))
        variable.setncattr("_FillXalue", numpy.arange(4.0))
        variable[...] = 0
    content = path.read_bytes().replace(b"_FillXalue", b"_FillValue")
    path.unlink()
    return content


def idx(limit, compress):
    word = lambda value: struct.pack(">I", value)
    images = word(0x803) + word(3) + word(2) + word(2) + bytes(range(12))
    labels = word(0x801) + word(3) + b"\1\0\2"
    if compress:
        images, labels = gzip.compress(images, mtime=0), gzip.compress(labels, mtime=0)
    return bytes([limit, len(labels)]) + labels + images


own = dict(format="vida-flow", dimension="2", context="0", layers="2", hidden="3", depth="1", scale_limit="1.5")
write("flow_file", "vida", safetensors(flow(dtype="float64"), own | {"target": "banana"}))
write("flow_file", "other_program", safetensors(flow()))
write("flow_file", "two_problems", safetensors(flow((2,), "float64"), own))
write("safetensors", "mixed", safetensors({"a": numpy.ones((2, 1), "float32"), "b": numpy.array(3.0)}, {"note": "text"}))
write("safetensors", "empty_tensor", safetensors({"none": numpy.ones((0, 4))}))
write("inpainting_file", "vida", inpainting())
write("netcdf", "data", netcdf(data_variables()))
write("netcdf", "data_batched", netcdf({name: values for name, values in data_variables((2,)).items() if name in "yHR"},
                                       zlib=True))
write("netcdf", "data_classic", netcdf(data_variables(), "NETCDF3_CLASSIC"))
write("netcdf", "data_64bit_offset", netcdf(data_variables(), "NETCDF3_64BIT_OFFSET"))
write("netcdf", "data_64bit_data", netcdf(data_variables(), "NETCDF3_64BIT_DATA"))
write("netcdf", "gains_filled", netcdf({"K": numbers.normal(size=(2, 3, 2))}, "NETCDF3_CLASSIC", fill=-1.0))
write("netcdf", "points", netcdf({"x": numpy.arange(6, dtype="int16").reshape(2, 3)}))
write("idx", "plain", idx(0, False))
write("idx", "compressed", idx(2, True))
for job in ("learn-gain", "evaluate-gain", "ensemble", "gaussian-vi", "flow-vi", "amortized", "assimilate", "sweep",
            "inpainting"):
    text = subprocess.run([sys.argv[1], "init", job], check=True, capture_output=True, text=True).stdout
    write("config", f"{job}.toml", text.encode())
write("config", "batch.toml", b"""#set model.n=12
#set batch.seed=[3, 4]
job = "learn-gain"
[model]
n = 8
[batch]
"seed" = [0, 1]
gain.initial = [0.2, 0.4]
trajectories = 2
""")
write("config", "filters.toml", b"""#set filters.1.members=20
job = "assimilate"
[model]
name = "lorenz63"
[observations]
operator = "indices"
indices = [0, 2]
noise = [1, 2.5]
[[filters]]
method = "etkf"
[[filters]]
method = "letkf"
members = 10
""")


def checkpoint(tensors, notes):
    """With the checksum that io/checkpoint.cpp makes of notes and numbers, in the order of their names."""
    parts = [key.encode() + value.encode() for key, value in sorted(notes.items())]
    parts += [name.encode() + array.tobytes() for name, array in sorted(tensors.items())]
    return safetensors(tensors, notes | {"crc32": f"{zlib.crc32(b''.join(parts)):08x}"})


notes = {"format": "vida-checkpoint-2", "version": "0.1.0", "identity.job": '"ensemble"', "note.seconds": "1.5"}
state = {"members/first": numpy.zeros(1), "members/states": numpy.ones(7, "float32")}
write("checkpoint", "begun", checkpoint({}, notes))
write("checkpoint", "at_work", checkpoint(state, notes))


def damaged(target, name, content):
    write(target, name, content, prefix="")


classic = netcdf({"K": numpy.ones((3, 2))}, "NETCDF3_CLASSIC")
damaged("netcdf", "dimension_of_2e9", classic.replace(b"d3\0\0\0\0\0\3", b"d3\0\0\x7f\xff\xff\xff"))
one_attribute = b"\0\0\0\x0c\0\0\0\1\0\0\0\x0dconfiguration"
damaged("netcdf", "two_billion_attributes", classic.replace(one_attribute, one_attribute.replace(b"\0\0\0\1", b"\x7f\0\0\0")))
damaged("netcdf", "fill_value_of_four_numbers", fill_of_four_numbers())
damaged("netcdf", "matrices_without_numbers", without_records())
many = bytes([0, 8]) + b"\0\0\x08\1" + b"\xff" * 4 + b"\0\0\x08\3" + b"\xff" * 4
damaged("idx", "header_tells_of_2_to_96_bytes", many + b"\xff" * 8)
damaged("idx", "images_without_pixels", many + b"\0" * 8)
text = b'{"a":1e999}'
damaged("checkpoint", "of_another_version", checkpoint(state, notes | {"version": "9.9.9"}))
damaged("checkpoint", "changed_since", checkpoint(state, notes).replace(b"1.5", b"2.5"))
damaged("safetensors", "number_beyond_double", struct.pack("<Q", len(text)) + text)
wide = flow((2,), "float64")
wide["params.layers.0.scale.0.weight"] = numpy.zeros((1 << 40, 0, 1))
damaged("flow_file", "shape_without_numbers", safetensors(wide, own))
for key in ("layers", "components", "hidden", "depth", "classifier_first"):
    damaged("inpainting_file", f"million_{key}", inpainting(**{key: 1 << 20}))
damaged("inpainting_file", "block_of_2_to_40_pixels", inpainting(height=1 << 20, width=1 << 20))
damaged("config", "key_of_9000_parts", b"job = 'learn-gain'\n" + b"a." * 9000 + b"a = 1\n")
damaged("config", "array_in_9000_arrays", b"job = 'learn-gain'\nseed = " + b"[" * 9000 + b"]" * 9000 + b"\n")
damaged("config", "component_beyond_any_index", b"job = 'learn-gain'\nobservations.indices = [1e300, inf]\n")
